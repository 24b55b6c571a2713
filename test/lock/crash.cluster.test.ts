import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { prefix } from '../../src/store/operations.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { aborted, figure, guardMs, outcome, untilWaiting } from './fixture.js';

let cluster: Cluster;
let conclave: Conclave;
const sessionTtlMs = 2_000;

beforeAll(async () => {
  cluster = await Cluster.start();
  conclave = await connect({ endpoints: cluster.endpoints, sessionTtlMs: 10_000 });
});

afterAll(async () => {
  await conclave.close();
  await cluster.dispose();
});

const client = (): Promise<Client> => Client.connect({ endpoints: cluster.endpoints, sessionTtlMs });

describe('a holder', () => {
  it(
    'that is killed leaves the lock to the next one, when its lease ends',
    { timeout: guardMs },
    async () => {
      const name = randomUUID();
      await using holder = await client();
      const held = await holder.acquire(name);
      const next = conclave.mutex(name).acquire();
      await untilWaiting(conclave.mutex(name), 1);
      const killedAt = performance.now();
      await holder.kill();
      await using hold = await next;
      figure(`takeover after SIGKILL with a TTL of ${sessionTtlMs} ms`, performance.now() - killedAt);
      expect(hold.fencingToken).toBeGreaterThan(BigInt(held.fencingToken));
      expect((await conclave.store.get(held.key)).count).toBe(0);
      await expect(holder.ended).resolves.toMatchObject({ signal: 'SIGKILL' });
    },
  );

  it(
    'that was stopped past its TTL finds out at the first look, and its writes are refused',
    { timeout: 2 * guardMs },
    async () => {
      const marks = `marks/${randomUUID()}`;
      const names = Array.from({ length: 10 }, () => randomUUID());
      const holders = await Promise.all(Array.from({ length: 5 }, () => client()));
      try {
        const places = holders.flatMap((_, i) => names.map((name) => `${name}/${i}`));
        await Promise.all(places.map((place, i) => holders[Math.floor(i / 10)]!.acquire(place)));
        const reports = holders.map((holder, i) =>
          holder.call<Stillness>('standStill', { marks: `${marks}/${i}` }),
        );
        await Promise.all(holders.map((holder) => holder.stopped()));
        // Whoever gets them has proof that the leases have ended.
        const next = await Promise.all(places.map((place) => conclave.mutex(place).acquire()));
        for (const holder of holders) holder.signal('SIGCONT');
        for (const report of await Promise.all(reports)) {
          expect(report.before).toEqual(names.map(() => true));
          // Nothing had a turn before the first look; that look aborts the signals of the whole session.
          expect(report.after).toEqual(
            names.map((_, i) => ({ abortedBefore: i > 0, held: false, aborted: true })),
          );
          expect(report.accepted).toEqual(names.map(() => false));
          expect(report.commits).toEqual(
            names.map((): unknown => expect.objectContaining({ code: 'HOLD_LOST' })),
          );
          figure('stopped for', report.stoodStillMs);
        }
        expect((await conclave.store.get(prefix(marks))).count).toBe(0);
        expect(next.map((hold) => hold.isHeld())).toEqual(places.map(() => true));
        await Promise.all(next.map((hold) => hold.release()));
      } finally {
        await Promise.all(holders.map((holder) => holder.kill()));
      }
    },
  );
});

describe('a waiter whose lease is revoked', () => {
  it(
    'rejects while the older holder still holds, 100 of 100, and nobody is granted a ticket that is gone',
    { timeout: 2 * guardMs },
    async () => {
      const name = randomUUID();
      const mutex = conclave.mutex(name);
      await using holder = await mutex.acquire();
      await using waiting = await connect({ endpoints: cluster.endpoints, sessionTtlMs: 30_000 });
      const sessions = await Promise.all(
        Array.from({ length: 100 }, () => waiting.withSession({ ttlMs: 30_000 })),
      );
      const ends = sessions.map((session) => outcome(session.mutex(name).acquire()));
      await untilWaiting(mutex, 100);
      const delays: number[] = [];
      for (const [i, session] of sessions.entries()) {
        // Most by the store, some as an administrator does it.
        const id = session.leaseId;
        if (i % 10 === 0) await cluster.etcdctl('lease', 'revoke', id.toString(16));
        else await conclave.store.lease.revoke(id);
        const revokedAt = performance.now();
        const { error } = (await ends[i])!;
        delays.push(performance.now() - revokedAt);
        expect(error).toMatchObject({ code: 'SESSION_LOST', reason: 'revoked' });
        expect(session.signal.aborted).toBe(true);
        expect(session.isValid()).toBe(false);
        expect(holder.isHeld()).toBe(true);
      }
      figure('waiter rejected after its lease was revoked, longest', Math.max(...delays));
      expect(await mutex.inspect()).toMatchObject({ holder: { key: holder.key }, waiters: [] });
      // Later calls of such a session stay lost.
      await expect(sessions[0]!.mutex(name).tryAcquire()).rejects.toMatchObject({ code: 'SESSION_LOST' });
    },
  );

  it(
    'just when the holder releases, gets either the lock or SessionLostError, and never a dead ticket',
    { timeout: 2 * guardMs },
    async () => {
      const ends = { granted: 0, rejected: 0 };
      for (let round = 0; round < 20; round++) {
        const name = randomUUID();
        const mutex = conclave.mutex(name);
        const hold = await mutex.acquire();
        await using session = await conclave.withSession({ ttlMs: 10_000 });
        const end = outcome(session.mutex(name).acquire());
        await untilWaiting(mutex, 1);
        const revoked = conclave.store.lease.revoke(session.leaseId);
        await Promise.all([revoked, hold.release()]);
        const result = await end;
        if (result.value) {
          // Granted at a revision at which its ticket stood; by now the store refuses what it writes.
          ends.granted += 1;
          expect(await conclave.store.txn({ if: result.value.guard() })).toMatchObject({ succeeded: false });
          await aborted(result.value.signal);
          expect(result.value.isHeld()).toBe(false);
        } else {
          ends.rejected += 1;
          expect(result.error).toMatchObject({ code: 'SESSION_LOST' });
        }
      }
      figure('release against revoke, 20 rounds', JSON.stringify(ends));
    },
  );
});

interface Stillness {
  readonly before: readonly boolean[];
  readonly stoodStillMs: number;
  readonly after: readonly { abortedBefore: boolean; held: boolean; aborted: boolean }[];
  readonly accepted: readonly boolean[];
  readonly commits: readonly unknown[];
}
