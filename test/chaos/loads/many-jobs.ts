import { Jobs } from '../../workload/jobs.js';
import { judgeJobs } from '../../workload/jobs-judge.js';
import type { Desk, Workload } from '../../workload/workload.js';

/** The first places put jobs, the others do them. */
export const producers = 4;
export const queueName = 'q';

const options = { keepMs: 60_000, maxCrashes: 100 };
const jobs = new Jobs(queueName, options);
const batch = 25;
/** So many wait at the most, about: when all come to an end one client does what is left. */
const backlog = 100;

/** Some clients only put jobs, the others do one after the other. */
export const manyJobs: Workload = {
  name: 'many-jobs',
  turn: (desk) => (isProducer(desk) ? produce(desk) : work(desk)),
  finish: (desk) => jobs.drain(desk),
  judge: (evidence) => judgeJobs(evidence, { queue: queueName, ...options }),
};

const isProducer = ({ name }: Desk): boolean => Number(/^c(\d+)/.exec(name)?.[1]) < producers;

async function produce(desk: Desk): Promise<void> {
  const { ready } = await jobs.queue(desk).inspect();
  if (ready > backlog) return desk.pause(100);
  for (let left = batch; left > 0 && !desk.signal.aborted; left--) {
    await jobs.put(desk);
    await desk.pause(desk.random.between(0, 20));
  }
}

async function work(desk: Desk): Promise<void> {
  for (let left = batch; left > 0 && !desk.signal.aborted; left--) {
    const delivery = await jobs.take(desk, 1_000);
    if (!delivery) return;
    try {
      await jobs.ack(desk, delivery);
    } finally {
      await delivery[Symbol.asyncDispose]();
    }
  }
}
