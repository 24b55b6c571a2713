import { barrier } from '../workload/barrier.js';
import { doubleBarrier } from '../workload/double-barrier.js';
import { election } from '../workload/election.js';
import { multiLock } from '../workload/multi-lock.js';
import { mutex } from '../workload/mutex.js';
import { priorityQueue } from '../workload/priority-queue.js';
import { queue } from '../workload/queue.js';
import { retryQueue } from '../workload/retry-queue.js';
import { rwLock } from '../workload/rw-lock.js';
import { semaphore } from '../workload/semaphore.js';
import type { Workload } from '../workload/workload.js';

/** All that are simulated. */
export const workloads: readonly Workload[] = [
  mutex,
  rwLock,
  semaphore,
  election,
  multiLock,
  barrier,
  doubleBarrier,
  queue,
  priorityQueue,
  retryQueue,
];

/** @throws RangeError if there is none of this name */
export function workloadNamed(name: string): Workload {
  const found = workloads.find((each) => each.name === name);
  if (found) return found;
  const names = workloads.map((each) => each.name).join(', ');
  throw new RangeError(`there is no workload ${JSON.stringify(name)}; there are ${names}`);
}
