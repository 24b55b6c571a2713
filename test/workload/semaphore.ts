import * as kinds from '../history/lock-kinds.js';
import { caseOf, judgeLines } from './judge-lines.js';
import { acquire, count, giveBack, patienceOf, troubles, whole } from './locking.js';
import type { Violation } from '../history/record.js';
import type { Desk, Evidence, Workload } from './workload.js';

/** Which semaphores, and how many permits each has. */
export type Limits = Readonly<Record<'s' | 't', number>>;

export const semaphore: Workload = { name: 'semaphore', clients: 3, ...permitsOf({ s: 3, t: 2 }) };

/** Those who hold everything count together, the others each for himself. */
export function permitsOf(limits: Limits): Pick<Workload, 'turn' | 'sometimes' | 'judge'> {
  return {
    turn: (desk) => turn(desk, limits),
    sometimes: troubles,
    judge: (evidence) => judge(evidence, limits),
  };
}

async function turn(desk: Desk, limits: Limits): Promise<void> {
  const { random, conclave } = desk;
  const name = random.next() < 0.7 ? 's' : 't';
  const limit = limits[name];
  const permits = random.next() < 0.4 ? 1 : whole(desk, 1, limit);
  const isTry = random.next() < 0.1;
  const wait = patienceOf(desk);
  const semaphore = conclave.semaphore(name, { limit });
  const hold = await acquire(desk, name, { permits }, () =>
    isTry ? semaphore.tryAcquire({ permits, signal: wait.signal }) : semaphore.acquire({ permits, ...wait }),
  );
  try {
    await count(desk, name, hold, permits === limit ? `app/${name}` : `app/${name}/${desk.name}`);
  } finally {
    await giveBack(desk, name, hold);
  }
}

function judge(evidence: Evidence, limits: Limits): Violation[] {
  const read = caseOf(evidence);
  const lines = Object.entries(limits).map(([name, limit]) => {
    const operations = read.operations.filter(({ on }) => on === name);
    return { kind: kinds.semaphore(limit), folder: `semaphore/${name}/t/`, operations };
  });
  return judgeLines(read, lines);
}
