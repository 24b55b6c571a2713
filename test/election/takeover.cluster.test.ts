import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import type { Election } from '../../src/election/election.js';
import type { Leadership } from '../../src/election/leadership.js';
import { put } from '../../src/store/operations.js';
import { outcome } from '../lock/fixture.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { figure } from '../rig/figure.js';
import { Recorder } from '../rig/history.js';
import { guardMs } from '../rig/patience.js';
import { Proxy } from '../rig/proxy.js';
import { Onlooker, untilLineUp } from './onlooker.js';

const ttlMs = 3_000;
/** Every new leader of etcd gives all leases their whole TTL again. */
const takeoverMs = ttlMs + 2_000 + ttlMs;
let cluster: Cluster;
let conclave: Conclave;
let recorder: Recorder;
let name: string;
let election: Election;

beforeAll(async () => {
  cluster = await Cluster.start({ members: 3 });
  conclave = await connect({ endpoints: cluster.endpoints, sessionTtlMs: 60_000 });
  recorder = new Recorder(conclave);
});

afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await conclave.close();
  await cluster.dispose();
});

beforeEach(() => {
  name = randomUUID();
  election = conclave.election(name);
});

/** A leader in a process of its own, and a candidate here that waits for it. */
async function contest(): Promise<{ leader: Client; led: Told; next: Promise<Leadership> }> {
  const leader = await Client.connect({ endpoints: cluster.endpoints, sessionTtlMs: ttlMs });
  const led = await leader.call<Told>('campaign', { name, value: 'old' });
  const next = election.campaign('new', { timeoutMs: 10 * takeoverMs });
  next.catch(() => {}); // a test may fail before it waits for it
  await untilLineUp(election, 'old', 'new');
  return { leader, led, next };
}

/**
 * Expects that the new leader leads, that the old one's ticket was gone before at every revision, and why it went.
 */
async function expectTakeover(
  { key, fencingToken }: Told,
  next: Leadership,
  why: 'its lease has ended' | 'it was deleted',
): Promise<void> {
  const { header, succeeded } = await conclave.store.txn({ if: next.guard() });
  expect(succeeded).toBe(true);
  expect(next.fencingToken).toBeGreaterThan(BigInt(fencingToken));
  await recorder.catchUp();
  const [old] = recorder.livesBelow(key);
  expect(old!.createRevision).toBe(BigInt(fencingToken));
  expect(old!.to).toBeLessThanOrEqual(header.revision);
  // All keys of a lease go at one revision, that of its session among them.
  const lease = key.slice(key.lastIndexOf('/') + 1).split('-')[0]!;
  const [session] = recorder.livesBelow(`conclave/session/${lease.padStart(16, '0')}`);
  if (why === 'its lease has ended') expect(session!.to).toBe(old!.to);
  else expect(session!.to).toBeGreaterThan(old!.to);
}

describe('a leader', { timeout: 10 * takeoverMs + 2 * guardMs }, () => {
  it('that is killed is followed by the next one when its lease has ended', async () => {
    const { leader, led, next } = await contest();
    const killedAt = performance.now();
    await leader.kill();
    await using leadership = await next;
    figure(`takeover after SIGKILL, TTL ${ttlMs} ms`, performance.now() - killedAt);
    await expectTakeover(led, leadership, 'its lease has ended');
  });

  it('that is killed together with the leader of etcd is followed by the next one all the same', async () => {
    const { leader, led, next } = await contest();
    const member = await cluster.leader();
    const killedAt = performance.now();
    await Promise.all([leader.kill(), cluster.kill(member)]);
    try {
      await using leadership = await next;
      figure(`takeover after SIGKILL of leader and member, TTL ${ttlMs} ms`, performance.now() - killedAt);
      await expectTakeover(led, leadership, 'its lease has ended');
    } finally {
      await cluster.restart(member);
    }
  });

  it('that was stopped past its TTL finds out at its first look, when another one leads, and is refused', async () => {
    const { leader, led, next } = await contest();
    await using stopped = leader;
    const report = stopped.call<Stillness>('standStill', { marks: `marks/${name}` });
    await stopped.stopped(guardMs);
    const stoppedAt = performance.now();
    await using leadership = await next;
    figure(`takeover after SIGSTOP, TTL ${ttlMs} ms`, performance.now() - stoppedAt);
    await expectTakeover(led, leadership, 'its lease has ended');

    stopped.signal('SIGCONT');
    expect(await report).toMatchObject({
      before: [true],
      after: [{ held: false, aborted: true }],
      accepted: [false],
      commits: [{ code: 'HOLD_LOST' }],
    });
    expect(await election.leader()).toMatchObject({ value: 'new' });
  });

  it('that is cut off from etcd has given up when the next one leads, and is refused afterwards', async () => {
    const proxies = await Promise.all(cluster.endpoints.map((endpoint) => Proxy.start(endpoint)));
    const endpoints = proxies.map(({ endpoint }) => endpoint);
    const cutOff = await connect({ endpoints, sessionTtlMs: ttlMs });
    try {
      const old = await cutOff.election(name).campaign('old');
      const guard = old.guard();
      const next = election.campaign('new', { timeoutMs: 10 * takeoverMs });
      await untilLineUp(election, 'old', 'new');
      const cutAt = performance.now();
      for (const proxy of proxies) await proxy.set('silent');
      let heldBy: readonly boolean[] = [];
      await using leadership = await next.then((crowned) => {
        heldBy = [old.isHeld(), crowned.isHeld()];
        return crowned;
      });
      figure(`takeover after a partition, TTL ${ttlMs} ms`, performance.now() - cutAt);
      expect(heldBy).toEqual([false, true]);
      expect(old.signal.reason).toMatchObject({ code: 'HOLD_LOST', cause: { code: 'SESSION_LOST' } });
      await expectTakeover(old.toJSON(), leadership, 'its lease has ended');

      for (const proxy of proxies) await proxy.set('pass');
      const late = { if: guard, then: [put(`marks/${name}`, 'late')] };
      expect(await cutOff.store.txn(late, { timeoutMs: guardMs })).toMatchObject({ succeeded: false });
      await expect(old.proclaim('late')).rejects.toMatchObject({ code: 'HOLD_LOST' });
      await expect(old.resign()).rejects.toMatchObject({ code: 'HOLD_LOST' });
      expect(await election.leader()).toMatchObject({ value: 'new' });
    } finally {
      await cutOff.close();
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    }
  });

  it('that resigns is followed by the next one at once: by a delete, while its lease stands', async () => {
    await using session = await conclave.withSession({ ttlMs: 600_000 });
    const old = await session.election(name).campaign('old');
    const next = election.campaign('new', { timeoutMs: 10 * takeoverMs });
    await untilLineUp(election, 'old', 'new');
    const resignedAt = performance.now();
    await old.resign();
    await using leadership = await next;
    figure('takeover after a resignation', performance.now() - resignedAt);
    await expectTakeover(old.toJSON(), leadership, 'it was deleted');
  });
});

it(
  'candidates whose leases are revoked while they wait all reject, and none of 100 is ever crowned',
  { timeout: 3 * guardMs },
  async () => {
    const leadership = await election.campaign('old');
    await using onlooker = new Onlooker(election);
    await using waiting = await connect({ endpoints: cluster.endpoints });
    const sessions = await Promise.all(
      Array.from({ length: 100 }, () => waiting.withSession({ ttlMs: 60_000 })),
    );
    const ends = sessions.map((session, i) => outcome(session.election(name).campaign(`dead ${i}`)));
    await expect.poll(async () => (await election.candidates()).length, { timeout: guardMs }).toBe(101);
    const survivor = election.campaign('new');
    await expect.poll(async () => (await election.candidates()).length, { timeout: guardMs }).toBe(102);

    // The last of them while the leader resigns.
    const [last, ...others] = sessions.map(({ leaseId }) => leaseId).reverse();
    for (const lease of others) await conclave.store.lease.revoke(lease);
    const results = await Promise.all(ends.slice(0, -1));
    expect(results.map(({ error }) => error)).toEqual(
      others.map((): unknown => expect.objectContaining({ code: 'SESSION_LOST', reason: 'revoked' })),
    );
    expect(leadership.isHeld()).toBe(true);
    await conclave.store.lease.revoke(last!);
    await leadership.resign();
    await using crowned = await survivor;
    expect(await ends.at(-1)).toMatchObject({ error: { code: 'SESSION_LOST' } });
    await onlooker.until('new');
    expect(onlooker.values.filter((value) => value?.startsWith('dead'))).toEqual([]);
    await expectTakeover(leadership.toJSON(), crowned, 'it was deleted');
  },
);

/** A hold, as JSON carries it. */
interface Told {
  readonly key: string;
  readonly fencingToken: string;
}

interface Stillness {
  readonly before: readonly boolean[];
  readonly after: readonly { held: boolean; aborted: boolean }[];
  readonly accepted: readonly boolean[];
  readonly commits: readonly unknown[];
}
