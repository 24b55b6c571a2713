import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import type { Delivery } from '../../src/queue/delivery.js';
import { prefix } from '../../src/store/operations.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { figure } from '../rig/figure.js';
import { type Life, Recorder } from '../rig/history.js';
import { guardMs } from '../rig/patience.js';
import { jobsIn, type JobHistory, violations } from './history.js';

const ttlMs = 2_000;
const wait = { timeout: guardMs, interval: 25 };
let cluster: Cluster;
let conclave: Conclave;
let recorder: Recorder;
let name: string;
let worker: Client;

beforeAll(async () => {
  cluster = await Cluster.start({ members: 3 });
  conclave = await connect({ endpoints: cluster.endpoints, dialTimeoutMs: 20_000 });
  recorder = new Recorder(conclave);
});

afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await conclave.close();
  await cluster.dispose();
});

beforeEach(async () => {
  name = randomUUID();
  worker = await Client.connect({ endpoints: cluster.endpoints, sessionTtlMs: ttlMs });
});

afterEach(() => worker.kill());

/** A delivery in another process. */
interface Told {
  readonly key: string;
  readonly fencingToken: string;
}

async function lives(): Promise<Life[]> {
  await recorder.catchUp();
  return recorder.livesBelow('conclave/');
}

/** What has become of the only job; expects that it was done once, and that nothing is left. */
async function expectDoneOnce(): Promise<JobHistory> {
  const done = async (): Promise<number> =>
    (await conclave.store.get(prefix(`conclave/queue/${name}/job/`), { countOnly: true })).count;
  await vi.waitFor(async () => expect(await done()).toBe(0), wait);
  const jobs = jobsIn(await lives(), 'conclave', name);
  const wanted = [...jobs.keys()];
  expect(wanted).toHaveLength(1);
  const nothing = { enqueues: [], deliveries: [], acks: [], empties: [] };
  expect(violations({ ...nothing, wanted }, jobs)).toEqual([]);
  return jobs.get(wanted[0]!)!;
}

function leaseOf(key: string): string {
  return key
    .slice(key.lastIndexOf('/') + 1)
    .split('-')[0]!
    .padStart(16, '0');
}

describe('a worker that is stopped past the end of its lease', { timeout: 3 * guardMs }, () => {
  interface Report {
    readonly hasWritten: boolean;
    readonly ack: 'acked' | { readonly code: string };
  }

  async function stopped(point: string, by = worker): Promise<{ told: Told; report: Promise<Report> }> {
    const queue = conclave.queue(name);
    await queue.enqueue('x');
    const told = await by.call<Told>('receive', { name });
    const report = by.call<Report>('doStandingStill', { key: told.key, mark: `marks/${name}`, point });
    await by.stopped(guardMs);
    return { told, report };
  }

  it.each([
    ['before the write', false],
    ['before the ack', true],
  ])('%s cannot acknowledge: another one does the job', async (point, hasWritten) => {
    const { told, report } = await stopped(point);
    const delivery = await conclave.queue(name).receive();
    expect(delivery.attempt).toBe(2);
    worker.signal('SIGCONT');
    expect(await report).toMatchObject({ hasWritten, ack: { code: 'HOLD_LOST' } });
    await delivery.ack();
    const { claims } = await expectDoneOnce();
    expect(claims).toMatchObject([
      { token: BigInt(told.fencingToken), end: 'lost' },
      { token: delivery.fencingToken, end: 'done' },
    ]);
  });

  it('before the ack is refused also when another one has done the job', async () => {
    const { report } = await stopped('before the ack');
    await (await conclave.queue(name).receive()).ack();
    worker.signal('SIGCONT');
    expect(await report).toMatchObject({ ack: { code: 'HOLD_LOST' } });
    expect((await expectDoneOnce()).claims).toMatchObject([{ end: 'lost' }, { end: 'done' }]);
  });

  it.each(['before the ack', 'in the turn of the ack'])(
    '%s is refused by the store, though by its own clock it still has the job',
    async (point) => {
      await using believer = await Client.connect({ endpoints: cluster.endpoints, sessionTtlMs: 120_000 });
      const { told, report } = await stopped(point, believer);
      await conclave.store.lease.revoke(BigInt(`0x${leaseOf(told.key)}`));
      const delivery = await conclave.queue(name).receive();
      believer.signal('SIGCONT');
      expect(await report).toMatchObject({ ack: { code: 'HOLD_LOST' } });
      await delivery.ack();
      expect((await expectDoneOnce()).claims).toMatchObject([
        { token: BigInt(told.fencingToken), end: 'lost' },
        { token: delivery.fencingToken, end: 'done' },
      ]);
    },
  );

  it.each(['in the turn of the ack', 'when the ack is on its way'])(
    '%s has done the job if the store got it in time, and otherwise is not told so',
    async (point) => {
      const { told, report } = await stopped(point);
      const [claim] = await conclave.store.get(told.key).then(({ kvs }) => kvs);
      const stop = new AbortController();
      const next = conclave.queue(name).receive({ signal: stop.signal });
      next.catch(() => {});
      // Its lease has ended: what it has sent and the store has not got comes too late.
      await vi.waitFor(async () => expect((await conclave.store.get(told.key)).count).toBe(0), wait);
      const jobs = jobsIn(await lives(), 'conclave', name);
      const isDone = [...jobs.values()].some(({ claims }) => claims[0]?.end === 'done');
      const delivery: Delivery | undefined = isDone ? undefined : await next;
      worker.signal('SIGCONT');
      const { ack } = await report;
      figure(point, `${isDone ? 'done' : 'lost'}, told: ${JSON.stringify(ack)}`);
      if (!isDone)
        expect(ack).toMatchObject({ code: expect.stringMatching(/HOLD_LOST|OUTCOME_UNKNOWN/) as unknown });
      if (claim === undefined) expect(isDone).toBe(true);
      await delivery?.ack();
      stop.abort();
      expect((await expectDoneOnce()).claims.map(({ end }) => end)).toEqual(
        isDone ? ['done'] : ['lost', 'done'],
      );
    },
  );
});

describe('the job of a worker that is killed', { timeout: 3 * guardMs }, () => {
  /** Who looks after the queue: the oldest of those who would. */
  async function upkeeper(): Promise<string | undefined> {
    const line = prefix(`conclave/queue/${name}/upkeep/`);
    const { kvs } = await conclave.store.get(line, { sort: ['create', 'ascend'], limit: 1 });
    return kvs[0] && leaseOf(toText(kvs[0].key));
  }

  /** It went to another one since the lease had ended, and for no other reason. */
  async function expectReclaimed({ key, fencingToken }: Told, delivery: Delivery): Promise<void> {
    await delivery.ack();
    const { claims, ready } = await expectDoneOnce();
    expect(claims).toMatchObject([
      { token: BigInt(fencingToken), end: 'lost' },
      { token: delivery.fencingToken, end: 'done' },
    ]);
    const session = (await lives()).find((life) => life.key === `conclave/session/${leaseOf(key)}`);
    expect(claims[0]!.to).toBe(session!.to);
    expect(ready.at(-1)!.from).toBeGreaterThan(session!.to);
    expect(delivery.attempt).toBe(2);
  }

  it('is given to another when its lease has ended', async () => {
    const queue = conclave.queue(name);
    await expect(queue.receive({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
    await vi.waitFor(async () => expect(await upkeeper()).toBeDefined(), wait);
    await queue.enqueue('x');
    const told = await worker.call<Told>('receive', { name });
    expect(await upkeeper()).not.toBe(leaseOf(told.key));
    const next = queue.receive();
    const killedAt = performance.now();
    await worker.kill();
    const delivery = await next;
    figure(`reclaimed after SIGKILL, TTL ${ttlMs} ms`, performance.now() - killedAt);
    await expectReclaimed(told, delivery);
  });

  it('is given to another though it was that worker who looked after the queue', async () => {
    const queue = conclave.queue(name);
    await queue.enqueue('x');
    const told = await worker.call<Told>('receive', { name });
    await vi.waitFor(async () => expect(await upkeeper()).toBe(leaseOf(told.key)), wait);
    const next = queue.receive();
    const killedAt = performance.now();
    await worker.kill();
    const delivery = await next;
    figure(`reclaimed after SIGKILL of the upkeeper, TTL ${ttlMs} ms`, performance.now() - killedAt);
    await expectReclaimed(told, delivery);
  });

  it('is given to another though the leader of etcd is killed with it', async () => {
    const queue = conclave.queue(name);
    await queue.enqueue('x');
    const told = await worker.call<Told>('receive', { name });
    const next = queue.receive();
    const member = await cluster.leader();
    const killedAt = performance.now();
    await Promise.all([worker.kill(), cluster.kill(member)]);
    try {
      const delivery = await next;
      figure(`reclaimed after SIGKILL of worker and member, TTL ${ttlMs} ms`, performance.now() - killedAt);
      await expectReclaimed(told, delivery);
    } finally {
      await cluster.restart(member);
    }
  });
});
