import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { Random } from '../../src/testing/random.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { figure } from '../rig/figure.js';
import { type Life, Recorder } from '../rig/history.js';
import { guardMs } from '../rig/patience.js';
import { moves, type Plan, readStoredPlan } from './shard-judge.js';

const seconds = Number(process.env['CHAOS_SECONDS'] ?? 50);
const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
const namespace = 'shards-chaos';
/** Outside of the namespace. */
const marks = 'marks';
const shards = 64;
const sessionTtlMs = 2_000;

let cluster: Cluster;
let observer: Conclave;
let recorder: Recorder;
const all: Client[] = [];
let working: Client[] = [];

beforeEach(async () => {
  cluster = await Cluster.start({ members: 3 });
  observer = await connect({ endpoints: cluster.endpoints, namespace });
  recorder = new Recorder(observer);
}, guardMs);

afterEach(async () => {
  await Promise.all(all.map((client) => client.kill()));
  await recorder[Symbol.asyncDispose]();
  await observer.close();
  await cluster.dispose();
}, guardMs);

async function join(): Promise<void> {
  const options = { endpoints: cluster.endpoints, namespace, sessionTtlMs, dialTimeoutMs: 20_000 };
  const client = await Client.start('member-process.js', { options });
  all.push(client);
  working.push(client);
  await client.call('run', { group: 'g', shards, marks });
}

async function stop(client: Client): Promise<void> {
  working = working.filter((each) => each !== client);
  await client.call('stop');
  client.signal('SIGTERM');
  expect({ ...(await client.ended), errors: client.errors }).toMatchObject({ code: 0, errors: '' });
}

async function kill(client: Client): Promise<void> {
  working = working.filter((each) => each !== client);
  await client.kill();
}

/** Resumes it once others own what it owned. @returns what the store said to its writes then */
async function stopPastTtl(client: Client): Promise<readonly boolean[]> {
  const before = client.news.length;
  const answers = client.call<boolean[]>('standStill', { marks });
  const wait = { timeout: guardMs, interval: 20 };
  const { keys } = await vi.waitFor(() => {
    const said = client.news.slice(before).find(({ event }) => event === 'stopping');
    if (!said) throw new Error('it has not said so yet');
    return said as unknown as { keys: string[] };
  }, wait);
  await client.stopped(guardMs);
  await vi.waitFor(async () => {
    const left = await Promise.all(keys.map(async (key) => (await observer.store.get(key)).count));
    expect(left.filter((count) => count > 0)).toEqual([]);
  }, wait);
  await untilOwned(working.length - 1);
  client.signal('SIGCONT');
  return answers;
}

/** Resolves once so many members own everything as planned. The cause is asserted; that it comes at all is the guard. */
async function untilOwned(members: number): Promise<void> {
  const group = observer.group('g').shards(shards);
  await vi.waitFor(
    async () => {
      const { shards: states } = await group.inspect();
      const ids = new Set(states.map(({ assignedTo }) => assignedTo));
      const holders = new Set(states.map(({ owner }) => owner?.holder?.pid));
      expect(states.filter(({ owner }) => owner === undefined)).toEqual([]);
      expect([ids.size, holders.size]).toEqual([members, members]);
    },
    { timeout: guardMs, interval: 20 },
  );
}

/** At this revision the ticket stood, and no older one of its line. */
function isOwner(line: readonly Life[], token: bigint, revision: bigint): boolean {
  const standing = line.filter(({ createRevision, to }) => createRevision <= revision && revision < to);
  return (
    standing.length > 0 &&
    standing.every(({ createRevision }) => createRevision >= token) &&
    standing.some(({ createRevision }) => createRevision === token)
  );
}

it(
  'shards of processes that are killed, stopped past their TTL, come and go have one owner each, and soon all of them one again',
  { timeout: seconds * 1_000 + 5 * guardMs },
  async () => {
    console.log(`seed ${seed}; to repeat: CHAOS_SEED=${seed} npm run test:cluster -- shards-chaos`);
    const random = new Random(seed);
    const pick = (): Client => working[Math.floor(random.between(0, working.length))]!;
    const counts = { kills: 0, 'stops past the TTL': 0, 'graceful stops': 0, joins: 0 };
    const late: boolean[] = [];
    while (working.length < 5) {
      await join();
      await untilOwned(working.length);
    }
    const took: number[] = [];
    const faults = [
      async () => (counts.kills++, kill(pick())),
      async () => (counts['stops past the TTL']++, late.push(...(await stopPastTtl(pick())))),
      async () => (counts['graceful stops']++, stop(pick())),
      async () => (counts.joins++, join()),
    ];
    const end = performance.now() + seconds * 1_000;
    for (let i = 0; i < faults.length || performance.now() < end; i++) {
      if (working.length < 5) {
        await join();
        await untilOwned(working.length);
      }
      // Each kind once; no more processes than six.
      const chosen = i < faults.length ? i : Math.floor(random.between(0, working.length < 6 ? 4 : 3));
      await faults[chosen]!();
      const from = performance.now();
      await untilOwned(working.length);
      took.push(performance.now() - from);
    }
    const states = (await observer.group('g').shards(shards).inspect()).shards;
    const owned = states.map(({ owner }) => owner?.holder?.pid);
    const perProcess = [...new Set(owned)].map((pid) => owned.filter((each) => each === pid).length);
    expect(Math.max(...perProcess) - Math.min(...perProcess)).toBeLessThanOrEqual(1);
    await Promise.all([...working].map(stop));

    await recorder.catchUp();
    const said = all.flatMap(({ news }) => news);
    expect(said.filter(({ event }) => event === 'failed')).toEqual([]);
    // Whatever anybody said of a shard, it owned that then.
    const lines = Array.from({ length: shards }, (_, shard) =>
      recorder.livesBelow(`${namespace}/lock/g%2Fshards%2F${shard}/`),
    );
    const claims = said.filter(({ event }) => event === 'granted' || event === 'acked');
    const wrong = claims.filter(
      ({ shard, token, revision }) =>
        !isOwner(lines[Number(shard)] ?? [], BigInt(String(token)), BigInt(String(revision))),
    );
    expect(wrong).toEqual([]);
    expect(claims.length).toBeGreaterThan(shards * 5);
    // Nobody wrote once it was overtaken.
    expect(new Set(late)).toEqual(new Set([false]));
    for (let shard = 0; shard < shards; shard++) {
      const written = recorder
        .livesBelow(`${marks}/${shard}`)
        .filter(({ key }) => key === `${marks}/${shard}`);
      const tokens = written.flatMap(({ forms }) => forms.map(({ value }) => Number(value)));
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    }
    const plans = recorder
      .livesBelow(`${namespace}/shards/g`)
      .flatMap(({ forms }) => forms.map(({ value }): Plan => readStoredPlan(value)));
    const moved = plans.slice(1).map((plan, i) => {
      const before = plans[i] ?? [];
      const bound = Math.ceil(shards / Math.min(new Set(before).size, new Set(plan).size)) + 1;
      expect(moves(before, plan)).toBeLessThanOrEqual(bound);
      return moves(before, plan);
    });
    const took95 = took.toSorted((a, b) => a - b);
    for (const [what, count] of Object.entries(counts)) {
      expect(count).toBeGreaterThan(0);
      figure(what, String(count));
    }
    figure('hand-overs', String(lines.flat().length));
    figure('plans, and the most shards that one moved', `${plans.length}, ${Math.max(...moved)}`);
    figure('from a change to full ownership, median', took95[Math.floor(took95.length / 2)] ?? 0);
    figure('from a change to full ownership, at most', took95.at(-1) ?? 0);
  },
);
