import { setTimeout as delay } from 'node:timers/promises';
import { connect, isConclaveError, type SessionConclave } from '../../../src/index.js';
import { between, client, member } from '../rig/node.js';
import { range } from '../nemesis/targets.js';
import { Rig } from '../rig/rig.js';
import { namespace } from '../stage.js';
import type { Scenario } from './scenario.js';
import { type Ending, ending, guardMs, until } from './until.js';

/** Half of them want a lock, half of them to lead. */
function wait(session: SessionConclave, index: number): Promise<unknown> {
  return index % 2 === 0
    ? session.mutex('m').acquire({ timeoutMs: guardMs })
    : session.election('e').campaign('waiter', { timeoutMs: guardMs });
}

export const phantom: Scenario = {
  number: 12,
  title:
    'A waiter whose lease ends while it waits is told so, while the older one still holds; none is granted',
  tier: 'P',
  needs: [],
  repetitions: { full: 100, tenth: 10 },
  async run(stand, repetitions) {
    await using rig = await Rig.start({ tier: 'loopback', clients: 2 });
    await using near = await connect({ endpoints: rig.endpoints, namespace });
    await using hold = await near.mutex('m').acquire();
    await using leadership = await near.election('e').campaign('holder');
    /** Its leases run out: it is cut off. */
    const cut = await connect({ endpoints: rig.endpointsFor(0), namespace, sessionTtlMs: 2_000 });
    /** Its leases are revoked by an administrator. */
    const revoked = await connect({ endpoints: rig.endpointsFor(1), namespace });
    const cuts = Math.ceil(repetitions / 2);
    const sessions = await Promise.all(
      range(repetitions).map((i) =>
        (i < cuts ? cut : revoked).withSession({ ttlMs: i < cuts ? 2_000 : 60_000 }),
      ),
    );
    const ends = sessions.map((session, i) => ending(wait(session, i)));
    await until('all wait', async () => {
      const [line, candidates] = await Promise.all([
        near.mutex('m').inspect(),
        near.election('e').candidates(),
      ]);
      return line.waiters.length + candidates.length - 1 === repetitions;
    });
    const undo = await rig.links.cut(between([client(0)], range(rig.members).map(member)));
    const delays: number[] = [];
    for (const [i, session] of sessions.entries()) {
      if (i < cuts) continue;
      await near.store.lease.revoke(session.leaseId);
      const revokedAt = performance.now();
      delays.push(((await ends[i])?.at ?? Infinity) - revokedAt);
    }
    await Promise.all(
      sessions
        .slice(0, cuts)
        .map(({ leaseId }) =>
          until(
            'the lease has run out',
            async () => (await near.store.lease.timeToLive(leaseId)).ttlSeconds < 0,
          ),
        ),
    );
    const isTold = await Promise.race([
      Promise.all(ends).then(() => true),
      delay(guardMs, false, { ref: false }),
    ]);
    stand.expect(isTold, 'somebody waits although its lease has ended');
    await undo();
    const told = isTold ? await Promise.all(ends) : [];
    for (const end of told) stand.expect(isLoss(end), `it ended with ${String(end.error)}`);
    const granted = told.filter(({ value }) => value !== undefined).length;
    stand.expect(hold.isHeld() && leadership.isHeld(), 'the older one has lost what it held');
    stand.figure(
      'waiters',
      `${cuts} whose leases ran out, ${repetitions - cuts} revoked; ${granted} granted`,
    );
    stand.spread('rejected after the revocation', delays);
    await cut.close();
    await revoked.close();
  },
};

function isLoss({ value, error }: Ending<unknown>): boolean {
  return value === undefined && isConclaveError(error, 'SESSION_LOST');
}
