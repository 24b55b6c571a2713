import { toText } from '../../../src/base/bytes.js';
import { systemRuntime } from '../../../src/base/runtime.js';
import { EtcdTransport } from '../../../src/etcd/transport.js';
import { Conclave, type Delivery } from '../../../src/index.js';
import type { Op, TxnOp } from '../../../src/store/operations.js';
import { Random } from '../../../src/testing/random.js';
import { livesOf, livesRightBelow } from '../../history/lives.js';
import { LossyTransport } from '../../rig/lossy-transport.js';
import { range } from '../nemesis/targets.js';
import { Rig } from '../rig/rig.js';
import { Recorder } from '../recorder.js';
import { namespace } from '../stage.js';
import type { Scenario } from './scenario.js';
import { until } from './until.js';

const producers = 2;
const workers = 3;
const queueName = 'q';
const share = 0.05;
const bodies = `${namespace}/queue/${queueName}/job/`;

export const lossyQueue: Scenario = {
  number: 23,
  title:
    'A queue, one answer in twenty to those who put jobs and are done with them lost: each is put once and done once',
  tier: 'P',
  needs: [],
  /** Jobs. */
  repetitions: { full: 2_000, tenth: 200 },
  async run(stand, repetitions) {
    await using rig = await Rig.start({ tier: 'loopback', clients: 1 });
    await using recorder = new Recorder(rig.endpoints);
    const random = new Random(stand.seed);
    const transports = range(producers + workers).map((place) => {
      const { endpoints } = rig;
      const inner = new EtcdTransport({ endpoints, runtime: systemRuntime, dialTimeoutMs: 20_000 });
      return new LossyTransport(inner, { random: random.split(place), share, kindOf });
    });
    const clients = transports.map((transport) =>
      Conclave.over(transport, { runtime: systemRuntime, namespace, sessionTtlMs: 10_000 }),
    );
    const stop = new AbortController();
    const handled: string[] = [];
    const errors: unknown[] = [];
    const handle = async ({ id }: Delivery): Promise<void> => void handled.push(id);
    const onError = (error: unknown): void => void errors.push(error);
    const working = clients
      .slice(producers)
      .map((each) => each.queue(queueName).work(handle, { concurrency: 4, signal: stop.signal, onError }));
    const produced = await Promise.all(
      clients.slice(0, producers).map((each, i) => produce(each, i, repetitions / producers)),
    );
    const queue = clients[0]?.queue(queueName);
    await until('all jobs are done', async () => {
      const state = await queue?.inspect();
      return state && state.ready + state.running.length === 0;
    });
    stop.abort();
    await Promise.all(working);
    await recorder.catchUp();
    const jobs = livesRightBelow(livesOf(recorder.changes), bodies);
    const lost = (kind: string): number => transports.reduce((sum, each) => sum + (each.lost[kind] ?? 0), 0);
    stand.figure('answers lost', `${lost('enqueue')} to an enqueue, ${lost('ack')} to an ack`);
    stand.figure(
      'enqueues asked for again',
      produced.reduce((sum, { again }) => sum + again, 0),
    );
    stand.figure('jobs', `${jobs.length} put, ${handled.length} deliveries`);
    for (const kind of ['enqueue', 'ack'])
      stand.expect(lost(kind) > 0, `no answer to an ${kind} was lost: nothing was shown`);
    const ids = new Set(jobs.map(({ key }) => key));
    stand.expect(
      jobs.length === repetitions && ids.size === repetitions,
      `${jobs.length} jobs, ${ids.size} ids, of ${repetitions}`,
    );
    stand.expect(
      jobs.every(({ deleteRevision }) => deleteRevision < Infinity),
      'a job was not done',
    );
    // No worker has died.
    stand.expect(handled.length === repetitions, `${handled.length} deliveries of ${repetitions} jobs`);
    stand.expect(errors.length === 0, `an ack was not settled: ${String(errors[0])}`);
    const wrong = produced.reduce((sum, each) => sum + each.wrong, 0);
    stand.expect(wrong === 0, `${wrong} enqueues by a known id were told that they had put another job`);
    await Promise.all(clients.map((each) => each.close()));
  },
};

/** Each by an id: it is asked for again until the answer is known, and once more. */
async function produce(
  conclave: Conclave,
  producer: number,
  count: number,
): Promise<{ readonly again: number; readonly wrong: number }> {
  const queue = conclave.queue(queueName);
  let [again, wrong] = [0, 0];
  for (let i = 0; i < count; i++) {
    const id = `${producer}-${i}`;
    while ((await queue.enqueue(id, { id }).catch(() => undefined)) === undefined) again++;
    const repeated = await queue.enqueue(id, { id }).catch(() => undefined);
    if (repeated?.created === true) wrong++;
  }
  return { again, wrong };
}

/** Enqueueing puts a body, acknowledging removes it. */
function kindOf(request: TxnOp): string | undefined {
  const kinds = new Set(
    opsIn(request)
      .filter((op) => toText(op.kind === 'put' ? op.key : op.range.key).startsWith(bodies))
      .map(({ kind }) => kind),
  );
  if (kinds.has('put')) return 'enqueue';
  return kinds.has('remove') ? 'ack' : undefined;
}

function opsIn({ then, else: otherwise }: TxnOp): Exclude<Op, { kind: 'txn' }>[] {
  return [...then, ...otherwise].flatMap((op) => (op.kind === 'txn' ? opsIn(op) : [op]));
}
