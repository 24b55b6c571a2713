import { connect, type Conclave, prefix } from '../../../src/index.js';
import { Cluster } from '../../rig/cluster.js';
import { Proxy } from '../../rig/proxy.js';
import { type Method, TransportError } from '../../../src/store/transport.js';
import { namespace } from '../stage.js';
import { Watched } from './clients.js';
import type { Scenario, Stand } from './scenario.js';
import { until } from './until.js';

/** One call whose answer is lost. */
interface Case {
  readonly name: string;
  /** The request whose answer is lost: the first one of the call. @default 'txn' */
  readonly method?: Method;
  /** What it passes just before it sends that. @default the first one that it sends */
  readonly sends?: string;
  /** Does it once, and says what is wrong with what came of it. */
  run(stage: Setting): Promise<string | undefined>;
}

interface Setting {
  /** Its answers are lost. */
  readonly far: Conclave;
  readonly near: Conclave;
  /** Unique. */
  readonly name: string;
  /** Runs a call; what comes from when its request is sent is lost, with its connection. */
  readonly losing: <T>(work: () => Promise<T>) => Promise<T>;
}

const keysBelow = async (conclave: Conclave, path: string): Promise<number> =>
  (await conclave.store.get(prefix(`${namespace}/${path}`), { countOnly: true })).count;

const cases: readonly Case[] = [
  {
    name: 'grant of a lease',
    method: 'leaseGrant',
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
    sends: 'ticket.take',
    async run({ far, near, name, losing }) {
      const hold = await losing(() => far.mutex(name).acquire());
      const tickets = await keysBelow(near, `lock/${name}/`);
      await hold.release();
      return tickets === 1 ? undefined : `${tickets} tickets instead of one`;
    },
  },
  {
    name: 'tryAcquire',
    sends: 'ticket.take',
    async run({ far, name, losing }) {
      const hold = await losing(() => far.mutex(name).tryAcquire());
      await hold?.release();
      return hold ? undefined : 'refused although nobody held it';
    },
  },
  {
    name: 'release',
    sends: 'hold.release',
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
    sends: 'once.send',
    async run({ far, near, name, losing }) {
      const { created, id } = await losing(() => far.queue(name).enqueue('value'));
      const jobs = await keysBelow(near, `queue/${name}/job/`);
      await near.queue(name).cancel(id);
      return created && jobs === 1 ? undefined : `created: ${created}, ${jobs} jobs instead of one`;
    },
  },
  {
    name: 'claim',
    sends: 'queue.claim',
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
    sends: 'ticket.take',
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
        await far.conclave.store.get('nothing'); // from here on the connection stands
        const startedAt = performance.now();
        const { swallowedBytes } = proxy;
        const isLost = loseOnce(proxy, far, each);
        const done = work();
        // Its own, or another one that it is lost with.
        await until('an answer is lost', () => proxy.swallowedBytes > swallowedBytes);
        await proxy.set('pass');
        const result = await done;
        if (isLost()) lost++;
        times.push(performance.now() - startedAt);
        return result;
      },
    });
    stand.expect(wrong === undefined, `${each.name}: ${wrong ?? ''}`);
  }
  stand.spread(each.name, times);
  stand.figure(`${each.name}: answers lost`, `${lost} of ${repetitions}`);
  stand.expect(2 * lost >= repetitions, `${each.name}: only ${lost} of ${repetitions} answers were lost`);
}

/** Answers are lost from when the request is sent. @returns whether its own was: nobody knows what has become of it */
function loseOnce(proxy: Proxy, far: Watched, { method = 'txn', sends }: Case): () => boolean {
  const { transport } = far;
  let isNext = sends === undefined;
  let isLost = false;
  let sent: object | undefined;
  far.onProbe = (name) => {
    if (name === sends) isNext = true;
  };
  transport.onCall = (each, request) => {
    if (each !== method || !isNext || sent) return;
    sent = request;
    void proxy.set({ kind: 'drop-response', resetAfterMs: 20 });
  };
  transport.onFailure = (_, request, error) => {
    if (request === sent) isLost = !(error instanceof TransportError && error.neverSent);
  };
  return () => isLost;
}
