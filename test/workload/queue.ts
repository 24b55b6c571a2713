import { Jobs } from './jobs.js';
import { judgeJobs } from './jobs-judge.js';
import type { Evidence, Workload } from './workload.js';

const keepMs = 5_000;
const jobs = new Jobs('q', { keepMs });

/** Jobs in the order in which they were put; some in groups, of which one runs at a time. */
export const queue: Workload = {
  name: 'queue',
  sometimes: [
    'receive: ok',
    'ack: ok',
    'ack: HOLD_LOST',
    'enqueue: OUTCOME_UNKNOWN',
    'queue.reclaimed',
    'lost',
  ],

  async turn(desk) {
    const { random } = desk;
    for (let more = Math.floor(random.between(0, 2.5)); more > 0; more--)
      await jobs.put(desk, random.next() < 0.2 ? { group: random.next() < 0.5 ? 'a' : 'b' } : {});
    const delivery = await jobs.take(desk, random.next() < 0.3 ? 0 : Math.ceil(random.between(0, 3_000)));
    if (!delivery) return;
    try {
      await desk.pause(random.between(0, 800));
      if (random.next() < 0.9) await jobs.ack(desk, delivery);
      else await jobs.nack(desk, delivery, 'return');
    } finally {
      await delivery[Symbol.asyncDispose]();
    }
  },

  finish: (desk) => jobs.drain(desk),

  judge: (evidence: Evidence) => judgeJobs(evidence, { queue: jobs.name, keepMs }),
};
