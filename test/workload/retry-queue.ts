import { Jobs } from './jobs.js';
import { judgeJobs } from './jobs-judge.js';
import type { Evidence, Workload } from './workload.js';

const keepMs = 5_000;
const limits = { attempts: 3, maxCrashes: 2 };
const jobs = new Jobs('r', { keepMs, ...limits, backoff: { minMs: 40, maxMs: 200 } });

/** Jobs that wait for their time, fail, are tried again, and become dead letters. */
export const retryQueue: Workload = {
  name: 'retry-queue',
  sometimes: ['nack: ok', 'nack: HOLD_LOST', 'queue.promoted', 'queue.reclaimed', 'lost'],

  async turn(desk) {
    const { random } = desk;
    if (random.next() < 0.7)
      await jobs.put(desk, random.next() < 0.5 ? { delayMs: Math.ceil(random.between(0, 500)) } : {});
    const delivery = await jobs.take(desk, Math.ceil(random.between(0, 1_000)));
    if (!delivery) return;
    try {
      await desk.pause(random.between(0, 500));
      const dice = random.next();
      if (dice < 0.4) await jobs.ack(desk, delivery, 'done');
      else if (dice < 0.7) await jobs.nack(desk, delivery, 'retry');
      else if (dice < 0.85) await jobs.nack(desk, delivery, 'retry', Math.floor(random.between(0, 300)));
      else await jobs.nack(desk, delivery, dice < 0.9 ? 'fail' : 'return');
    } finally {
      await delivery[Symbol.asyncDispose]();
    }
  },

  async finish(desk) {
    await jobs.drain(desk);
    if (desk.random.next() < 0.9) return;
    // When nothing has been wrong for long, what is due is ready in time.
    await desk.pause(12_000);
    await jobs.put(desk, { delayMs: 300 });
    await jobs.drain(desk);
  },

  judge: (evidence: Evidence) => judgeJobs(evidence, { queue: jobs.name, keepMs, ...limits }),
};
