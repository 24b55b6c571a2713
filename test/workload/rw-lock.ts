import { isConclaveError, type ReadHold, type RwLock, type WriteHold } from '../../src/index.js';
import { rwLock as kind } from '../history/lock-kinds.js';
import { caseOf, judgeLines } from './judge-lines.js';
import { acquire, count, giveBack, patienceOf, told, troubles, watchOver } from './locking.js';
import type { Desk, Workload } from './workload.js';

const name = 'rw';
const register = 'app/rw';

/** Readers watch over what writers count; at times one becomes the other. */
export const rwLock: Workload = {
  name: 'rw-lock',

  async turn(desk) {
    const lock = desk.conclave.rwLock(name);
    if (desk.random.next() < 0.55) return read(desk, await take(desk, lock, 'read'));
    await write(desk, await take(desk, lock, 'write'));
  },

  sometimes: [...troubles, 'read: FENCED_OUT', 'downgrade: ok'],

  judge(evidence) {
    const read = caseOf(evidence);
    return judgeLines(read, [{ kind, folder: `rw/${name}/`, operations: read.operations }]);
  },
};

async function take<Mode extends 'read' | 'write'>(
  desk: Desk,
  lock: RwLock,
  mode: Mode,
): Promise<Awaited<ReturnType<RwLock[Mode]['acquire']>>>;
async function take(desk: Desk, lock: RwLock, mode: 'read' | 'write'): Promise<ReadHold | WriteHold> {
  const isTry = desk.random.next() < 0.1;
  const wait = patienceOf(desk);
  return acquire<ReadHold | WriteHold>(desk, name, { mode }, () =>
    isTry ? lock[mode].tryAcquire({ signal: wait.signal }) : lock[mode].acquire(wait),
  );
}

async function read(desk: Desk, hold: ReadHold): Promise<void> {
  try {
    await watchOver(desk, name, hold, register);
    if (desk.random.next() > 0.4) return;
    await write(desk, await acquire(desk, name, { mode: 'write' }, () => hold.tryUpgrade()));
  } catch (error) {
    // It is not alone, and goes on reading.
    if (!isConclaveError(error, 'WAIT_TIMEOUT')) throw error;
    await desk.pause(desk.random.between(0, 200));
  } finally {
    await giveBack(desk, name, hold);
  }
}

async function write(desk: Desk, hold: WriteHold): Promise<void> {
  let last: ReadHold | WriteHold = hold;
  try {
    await count(desk, name, hold, register);
    if (desk.random.next() > 0.3) return;
    last = await desk.call('downgrade', name, told(hold), () => hold.downgrade(), told);
    desk.claim(name, last);
    await watchOver(desk, name, last, register);
  } finally {
    await giveBack(desk, name, last);
  }
}
