import { delayKey } from '../../src/base/keys.js';
import type { LockOptions } from '../../src/index.js';
import { judgeDelays } from '../history/invariants/delays.js';
import * as kinds from '../history/lock-kinds.js';
import { caseOf, judgeLines } from './judge-lines.js';
import { acquire, count, giveBack, patienceOf, troubles } from './locking.js';
import type { Desk, Workload } from './workload.js';

/** Most want the first. */
const names = ['m', 'delayed'] as const;
type Name = (typeof names)[number];
const delayMs = 300;
const optionsOf: Readonly<Record<Name, LockOptions>> = { m: {}, delayed: { lockDelayMs: delayMs } };

/** Counters under mutexes: read and written only under their fence. */
export const mutex: Workload = {
  name: 'mutex',

  async turn(desk) {
    const { random } = desk;
    const name = random.next() < 0.8 ? 'm' : 'delayed';
    // Two of one process queue locally.
    const tasks = random.next() < 0.2 ? 2 : 1;
    const ends = await Promise.allSettled(Array.from({ length: tasks }, () => round(desk, name)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  },

  sometimes: [...troubles, 'ticket.requeued', 'asked'],

  judge(evidence) {
    const read = caseOf(evidence);
    const lines = names.map((name) => {
      const operations = read.operations.filter(({ on }) => on === name);
      return { kind: kinds.mutex, folder: `lock/${name}/`, operations };
    });
    const marker = delayKey(read.namespace, `${read.namespace}/lock/delayed/`);
    return [...judgeLines(read, lines), ...judgeDelays(read.changes, read.lives, { marker, delayMs })];
  },
};

async function round(desk: Desk, name: Name): Promise<void> {
  const lock = desk.conclave.mutex(name, optionsOf[name]);
  if (desk.random.next() < 0.05) {
    await desk.call('ask', name, {}, () => desk.conclave.requestRelease('mutex', name));
    return;
  }
  const isTry = desk.random.next() < 0.1;
  const wait = patienceOf(desk);
  const hold = await acquire(desk, name, {}, () =>
    isTry ? lock.tryAcquire({ signal: wait.signal }) : lock.acquire(wait),
  );
  hold.releaseRequested.addEventListener('abort', () => desk.note('asked', name), { once: true });
  try {
    await count(desk, name, hold, `app/${name}`);
  } finally {
    await giveBack(desk, name, hold);
  }
}
