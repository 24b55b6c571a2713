import { Jobs } from './jobs.js';
import { judgeJobs } from './jobs-judge.js';
import type { Evidence, Workload } from './workload.js';

const jobs = new Jobs('p', { keepMs: 0 });

/** Jobs of several priorities: the most urgent first, and of each priority in order. */
export const priorityQueue: Workload = {
  name: 'priority-queue',
  sometimes: ['receive: ok', 'ack: ok', 'queue.reclaimed'],

  async turn(desk) {
    const { random } = desk;
    for (let more = Math.floor(random.between(0, 4)); more > 0; more--)
      await jobs.put(desk, { priority: [0, 0, 5, 9][Math.floor(random.between(0, 4))] ?? 0 });
    for (let more = Math.floor(random.between(1, 4)); more > 0 && !desk.signal.aborted; more--) {
      const delivery = await jobs.take(desk, random.next() < 0.5 ? 0 : Math.ceil(random.between(0, 1_000)));
      if (!delivery) return;
      try {
        await desk.pause(random.between(0, 400));
        await jobs.ack(desk, delivery);
      } finally {
        await delivery[Symbol.asyncDispose]();
      }
    }
  },

  finish: (desk) => jobs.drain(desk),

  judge: (evidence: Evidence) => judgeJobs(evidence, { queue: jobs.name, keepMs: 0 }),
};
