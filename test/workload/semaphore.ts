import * as kinds from '../history/lock-kinds.js';
import { caseOf, judgeLines } from './judge-lines.js';
import { acquire, count, giveBack, patienceOf, troubles, whole } from './locking.js';
import type { Workload } from './workload.js';

/** Permits, by name. */
const limits = { s: 3, t: 2 } as const;

/** Those who hold everything count together, the others each for himself. */
export const semaphore: Workload = {
  name: 'semaphore',
  clients: 3,

  async turn(desk) {
    const { random, conclave } = desk;
    const name = random.next() < 0.7 ? 's' : 't';
    const limit = limits[name];
    const permits = random.next() < 0.4 ? 1 : whole(desk, 1, limit);
    const isTry = random.next() < 0.1;
    const wait = patienceOf(desk);
    const semaphore = conclave.semaphore(name, { limit });
    const hold = await acquire(desk, name, { permits }, () =>
      isTry
        ? semaphore.tryAcquire({ permits, signal: wait.signal })
        : semaphore.acquire({ permits, ...wait }),
    );
    try {
      await count(desk, name, hold, permits === limit ? `app/${name}` : `app/${name}/${desk.name}`);
    } finally {
      await giveBack(desk, name, hold);
    }
  },

  sometimes: [...troubles, 'write: FENCED_OUT'],

  judge(evidence) {
    const read = caseOf(evidence);
    const lines = Object.entries(limits).map(([name, limit]) => {
      const operations = read.operations.filter(({ on }) => on === name);
      return { kind: kinds.semaphore(limit), folder: `semaphore/${name}/t/`, operations };
    });
    return judgeLines(read, lines);
  },
};
