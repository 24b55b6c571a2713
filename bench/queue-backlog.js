// What taking a job costs at a backlog of 100, and of 100,000: two queues on one etcd, measured in turns, so that whatever
// else the machine does hits both alike. Prints the medians and their ratio; ends with status 1 if that is more than 1.3.
import { connect } from 'conclave';
import { Etcd, findEtcd } from '../examples/demo/etcd.js';

const backlogs = [100, 100_000];
const rounds = 400;
const limit = 1.3;

const program = findEtcd();
if (!program) {
  console.error('needs etcd on the PATH');
  process.exit(1);
}
const etcd = new Etcd();
process.on('exit', () => etcd.stopNow());
await etcd.start(program);
const conclave = await connect({ endpoints: [etcd.endpoint], dialTimeoutMs: 20_000 });

const queues = backlogs.map((backlog) => ({
  backlog,
  queue: conclave.queue(`backlog of ${backlog}`),
  times: [],
}));
for (const { backlog, queue } of queues) {
  const startedAt = performance.now();
  await queue.enqueueAll(Array.from({ length: backlog }, (_, i) => ({ value: i })));
  console.log(`${backlog} jobs put in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
}

/** Takes one job, does it, and puts another: the backlog stays. */
async function cycle({ queue }) {
  const startedAt = performance.now();
  const delivery = await queue.receive({ timeoutMs: 60_000 });
  const tookMs = performance.now() - startedAt;
  await delivery.ack();
  await queue.enqueue(0);
  return tookMs;
}

for (let round = -50; round < rounds; round++) {
  // Who comes first takes turns, too.
  for (const each of round % 2 === 0 ? queues : [...queues].reverse()) {
    const tookMs = await cycle(each);
    if (round >= 0) each.times.push(tookMs);
  }
}

const [small, large] = queues.map(({ backlog, times }) => {
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
  console.log(
    `taking one of ${String(backlog).padStart(6)} jobs: median ${median.toFixed(2)} ms of ${times.length}`,
  );
  return median;
});
const ratio = large / small;
console.log(`ratio ${ratio.toFixed(2)}, at most ${limit} is allowed`);
await conclave.close();
await etcd.stop();
process.exitCode = ratio <= limit ? 0 : 1;
