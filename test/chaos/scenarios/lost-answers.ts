import { connect, type Conclave, prefix } from '../../../src/index.js';
import { Cluster } from '../../rig/cluster.js';
import { Proxy } from '../../rig/proxy.js';
import { namespace } from '../stage.js';
import { Watched } from './clients.js';
import type { Scenario, Stand } from './scenario.js';
import { until } from './until.js';

/** One call whose answer is lost. */
interface Case {
  readonly name: string;
  /** What it passes around the request whose answer is to be lost. @default the first answer that comes is lost */
  readonly probes?: Probes;
  /** Does it once, and says what is wrong with what came of it. */
  run(stage: Setting): Promise<string | undefined>;
}

interface Probes {
  /** Just before it is sent. */
  readonly sent: string;
  /** Only if the answer has come. */
  readonly answered: string;
}

const take: Probes = { sent: 'ticket.take', answered: 'ticket.taken' };

interface Setting {
  /** Its answers are lost. */
  readonly far: Conclave;
  readonly near: Conclave;
  /** Unique. */
  readonly name: string;
  /** Runs a call; the first answer that comes once its request is sent is lost, with its connection. */
  readonly losing: <T>(work: () => Promise<T>) => Promise<T>;
}

const keysBelow = async (conclave: Conclave, path: string): Promise<number> =>
  (await conclave.store.get(prefix(`${namespace}/${path}`), { countOnly: true })).count;

const cases: readonly Case[] = [
  {
    name: 'grant of a lease',
    async run({ far, near, losing }) {
      const before = (await near.store.lease.list()).leases.length;
      const session = await losing(() => far.withSession({ ttlMs: 30_000 }));
      const granted = (await near.store.lease.list()).leases.length - before;
      await session.close();
      return granted === 1 ? undefined : `${granted} leases instead of one`;
    },
  },
  {
    name: 'acquire',
    probes: take,
    async run({ far, near, name, losing }) {
      const hold = await losing(() => far.mutex(name).acquire());
      const tickets = await keysBelow(near, `lock/${name}/`);
      await hold.release();
      return tickets === 1 ? undefined : `${tickets} tickets instead of one`;
    },
  },
  {
    name: 'tryAcquire',
    probes: take,
    async run({ far, name, losing }) {
      const hold = await losing(() => far.mutex(name).tryAcquire());
      await hold?.release();
      return hold ? undefined : 'refused although nobody held it';
    },
  },
  {
    name: 'release',
    async run({ far, near, name, losing }) {
      const hold = await far.mutex(name).acquire();
      await losing(() => hold.release());
      const next = await near.mutex(name).tryAcquire();
      await next?.release();
      return next ? undefined : 'it is still held';
    },
  },
  {
    name: 'enqueue',
    probes: { sent: 'once.send', answered: 'once.done' },
    async run({ far, near, name, losing }) {
      const { created, id } = await losing(() => far.queue(name).enqueue('value'));
      const jobs = await keysBelow(near, `queue/${name}/job/`);
      await near.queue(name).cancel(id);
      return created && jobs === 1 ? undefined : `created: ${created}, ${jobs} jobs instead of one`;
    },
  },
  {
    name: 'claim',
    probes: { sent: 'queue.claim', answered: 'queue.claimed' },
    async run({ far, near, name, losing }) {
      await near.queue(name).enqueue('value');
      const delivery = await losing(() => far.queue(name).receive());
      const { running } = await near.queue(name).inspect();
      await delivery.ack();
      return delivery.attempt === 1 && running.length === 1
        ? undefined
        : `attempt ${delivery.attempt}, ${running.length} jobs run`;
    },
  },
  {
    name: 'ack',
    async run({ far, near, name, losing }) {
      await near.queue(name).enqueue('value');
      const delivery = await far.queue(name).receive();
      await losing(() => delivery.ack());
      const jobs = await keysBelow(near, `queue/${name}/job/`);
      return jobs === 0 ? undefined : 'the job is still there';
    },
  },
  {
    name: 'proclaim',
    async run({ far, near, name, losing }) {
      const leadership = await far.election(name).campaign('first');
      await losing(() => leadership.proclaim('second'));
      const pair = (await near.store.get(leadership.key)).kvs[0];
      const leader = await near.election(name).leader();
      await leadership.resign();
      return leader?.value === 'second' && pair?.version === 2n
        ? undefined
        : `${String(leader?.value)}, written ${String(pair?.version)} times`;
    },
  },
  {
    name: 'enter a barrier',
    probes: take,
    async run({ far, near, name, losing }) {
      const passes = near.doubleBarrier(name, { parties: 2 }).enter();
      const pass = await losing(() => far.doubleBarrier(name, { parties: 2 }).enter());
      const other = await passes;
      const tickets = await keysBelow(near, `double-barrier/${name}/in/`);
      await Promise.all([pass.leave(), other.leave()]);
      return tickets === 2 ? undefined : `${tickets} tickets instead of two`;
    },
  },
];

export const lostAnswers: Scenario = {
  number: 13,
  title:
    'The answer to a call is lost, and its connection: done once, never taken for somebody else’s, nothing stuck',
  tier: 'P',
  needs: [],
  repetitions: { full: 20, tenth: 2 },
  async run(stand, repetitions) {
    await using cluster = await Cluster.start();
    const [endpoint = ''] = cluster.endpoints;
    await using proxy = await Proxy.start(endpoint);
    await using near = await connect({ endpoints: [endpoint], namespace });
    await using far = new Watched([proxy.endpoint]);
    await far.conclave.mutex('first').run(() => {}); // opens the session
    for (const each of cases) await runCase(stand, each, { repetitions, proxy, near, far });
    // What nobody holds any more is not there.
    for (const kind of ['lock', 'election', 'double-barrier'])
      stand.expect((await keysBelow(near, `${kind}/`)) === 0, `something of ${kind} is left`);
  },
};

interface Lab {
  readonly repetitions: number;
  readonly proxy: Proxy;
  readonly near: Conclave;
  readonly far: Watched;
}

async function runCase(stand: Stand, each: Case, { repetitions, proxy, near, far }: Lab): Promise<void> {
  const times: number[] = [];
  let lost = 0;
  for (let time = 0; time < repetitions; time++) {
    const wrong = await each.run({
      far: far.conclave,
      near,
      name: `${each.name.replaceAll(' ', '-')}-${time}`,
      async losing(work) {
        await until('it is quiet', () => proxy.connections > 0 && far.transport.unanswered === 0);
        const { swallowedBytes } = proxy;
        const startedAt = performance.now();
        const isAnswered = loseOnce(proxy, far, each.probes);
        const done = work();
        await until('an answer is lost', () => proxy.swallowedBytes > swallowedBytes);
        await proxy.set('pass');
        const result = await done;
        if (!isAnswered()) lost++;
        times.push(performance.now() - startedAt);
        return result;
      },
    });
    stand.expect(wrong === undefined, `${each.name}: ${wrong ?? ''}`);
  }
  stand.spread(each.name, times);
  if (each.probes) stand.figure(`${each.name}: answers lost`, `${lost} of ${repetitions}`);
  // A renewal may be answered just then, and its answer lost instead.
  stand.expect(2 * lost >= repetitions, `${each.name}: only ${lost} of ${repetitions} answers were lost`);
}

/** Answers are lost from now on, or from when the request is sent. @returns whether that was answered nevertheless */
function loseOnce(proxy: Proxy, far: Watched, probes: Probes | undefined): () => boolean {
  const passed = new Set<string>();
  const lose = (): void => void proxy.set({ kind: 'drop-response', resetAfterMs: 20 });
  if (!probes) lose();
  far.onProbe = (name) => {
    if (name === probes?.sent && !passed.has(name)) lose();
    passed.add(name);
  };
  return () => probes !== undefined && passed.has(probes.answered);
}
