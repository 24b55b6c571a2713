import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { prefix } from '../../src/store/operations.js';
import { Random } from '../../src/testing/random.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { Crowd } from '../rig/crowd.js';
import { figure } from '../rig/figure.js';
import { Recorder } from '../rig/history.js';
import { guardMs } from '../rig/patience.js';
import { type Claim, jobsIn, redeliveries, untold, violations } from './history.js';
import { toldBy } from './told.js';

const namespace = 'queue-chaos';
const name = 'q';
const sessionTtlMs = 3_000;
const clientsPerProcess = 3;
const seconds = Number(process.env['CHAOS_SECONDS'] ?? 25);
const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
/** One kill in about a second, and so many jobs for each. */
const kills = Math.round(1.2 * seconds);
const jobsPerKill = 67;
const job = { kind: 'queue', name, marks: 'marks', options: { maxCrashes: 1_000 } };
const wait = { timeout: guardMs, interval: 20 };

let cluster: Cluster;
let observer: Conclave;
let recorder: Recorder;
let options: object;

beforeAll(async () => {
  cluster = await Cluster.start({ members: 3 });
  observer = await connect({ endpoints: cluster.endpoints, namespace });
  recorder = new Recorder(observer);
  options = { endpoints: cluster.endpoints, namespace, sessionTtlMs, dialTimeoutMs: 20_000 };
});

afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await observer.close();
  await cluster.dispose();
});

it(
  'each job that was put is done once, in order, while workers and members are killed',
  { timeout: 2 * seconds * 1_000 + 3 * guardMs },
  async () => {
    console.log(
      `seed ${seed}; to repeat: CHAOS_SEED=${seed} CHAOS_SECONDS=${seconds} npm run test:cluster -- test/queue/chaos`,
    );
    await using crowd = new Crowd({
      options,
      processes: 6,
      clientsPerProcess,
      job,
      isGone: async (key) => (await observer.store.get(key)).count === 0,
    });
    await using producer = await Client.start('worker-process.js', { options, size: 4 });
    await crowd.fill();
    const startedAt = performance.now();
    const killed = await killAndProduce(crowd, producer);
    figure('killing took', performance.now() - startedAt);
    await untilDone();
    await crowd.finish();
    producer.signal('SIGTERM');
    expect({ ...(await producer.ended), errors: producer.errors }).toMatchObject({ code: 0, errors: '' });
    await vi.waitFor(async () => expect(await leftovers()).toEqual([]), wait);

    const told = toldBy(crowd, producer);
    await recorder.catchUp();
    const jobs = jobsIn(recorder.livesBelow(`${namespace}/`), namespace, name);
    const again = redeliveries(jobs);
    figure('killed', JSON.stringify(killed));
    figure('setbacks of clients', JSON.stringify(crowd.setbacks()));
    figure(
      'jobs',
      `${jobs.size}, ${again} given to another, ${untold(told, jobs)} done by a worker that was killed`,
    );
    figure('empty answers', String(told.empties.length));
    expect(violations(told, jobs)).toEqual([]);
    expect(told.enqueues).toHaveLength(kills * jobsPerKill);
    expect(told.empties.length).toBeGreaterThan(0);
    // A job is taken again because the session of its worker has ended; or it was given back, as its worker has said.
    const before = [...jobs.values()].flatMap(({ claims }) => claims.slice(0, -1));
    expect(count(before, 'lost')).toBeGreaterThan(0);
    expect(count(before, 'moved')).toBeLessThanOrEqual(crowd.count('not done'));
    expect(again).toBeLessThanOrEqual(kills * clientsPerProcess);
    expect(untold(told, jobs)).toBeLessThanOrEqual(kills * clientsPerProcess);
  },
);

/** For each kill some more jobs; it comes when work on them has begun. */
async function killAndProduce(crowd: Crowd, producer: Client): Promise<{ workers: number; members: number }> {
  const random = new Random(seed);
  const below = (count: number): number => Math.floor(random.between(0, count));
  const members = Math.round(kills / 5);
  const order = Array.from({ length: kills }, (_, i) => ({ isMember: i < members, place: random.next() }));
  order.sort((a, b) => a.place - b.place);
  const producing: Promise<unknown>[] = [];
  let restarting = Promise.resolve();
  let filling = Promise.resolve();
  for (const [i, { isMember }] of order.entries()) {
    const ids = Array.from({ length: jobsPerKill }, (_, n) => `${i}-${n}`);
    const before = crowd.count('delivered');
    producing.push(producer.call('produce', { job, ids }));
    await vi.waitFor(() => expect(crowd.count('delivered')).toBeGreaterThan(before + 5), wait);
    await delay(random.between(0, 100));
    // Its successor comes while the next ones are on their way.
    if (isMember) {
      await restarting;
      const member = below(3);
      await cluster.kill(member);
      restarting = cluster.restart(member);
    } else {
      await filling;
      await crowd.killOne(crowd.working[below(crowd.working.length)]!);
      filling = crowd.fill();
    }
    for (const each of [restarting, filling]) each.catch(() => {}); // heard when it is awaited
  }
  await Promise.all([restarting, filling]);
  await Promise.all(producing);
  return { workers: kills - members, members };
}

function count(claims: readonly Claim[], end: Claim['end']): number {
  return claims.filter((claim) => claim.end === end).length;
}

async function untilDone(): Promise<void> {
  const jobs = prefix(`${namespace}/queue/${name}/job/`);
  const count = async (): Promise<number> => (await observer.store.get(jobs, { countOnly: true })).count;
  await vi.waitFor(async () => expect(await count()).toBe(0), wait);
  expect(await observer.queue(name).inspect()).toMatchObject({ ready: 0, running: [], delayed: 0, dead: 0 });
}

/** All but how far the lanes have come, and what is remembered of jobs for a while. */
async function leftovers(): Promise<string[]> {
  const { kvs } = await observer.store.get(prefix(`${namespace}/`), { keysOnly: true });
  const keys = kvs.map(({ key }) => toText(key));
  return keys.filter((key) => !/^queue\/q\/(floor|result)\//.test(key.slice(namespace.length + 1)));
}
