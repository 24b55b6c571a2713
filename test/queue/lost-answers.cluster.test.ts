import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import type { Delivery } from '../../src/queue/delivery.js';
import { compare, type Op, prefix, put, type TxnOp } from '../../src/store/operations.js';
import { Random } from '../../src/testing/random.js';
import { Cluster } from '../rig/cluster.js';
import { figure } from '../rig/figure.js';
import { Recorder } from '../rig/history.js';
import { LossyTransport } from '../rig/lossy-transport.js';
import { guardMs } from '../rig/patience.js';
import { type Enqueue, type Handling, jobsIn, redeliveries, untold, violations } from './history.js';

const namespace = 'lost-answers';
const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
const random = new Random(seed);
const jobsEach = 150;
let cluster: Cluster;
let observer: Conclave;
let recorder: Recorder;
let transports: LossyTransport[];
let clients: Conclave[];

beforeAll(async () => {
  cluster = await Cluster.start();
  observer = await connect({ endpoints: cluster.endpoints, namespace });
  recorder = new Recorder(observer);
  transports = Array.from({ length: 6 }, () => {
    const inner = new EtcdTransport({
      endpoints: cluster.endpoints,
      runtime: systemRuntime,
      dialTimeoutMs: 5_000,
    });
    return new LossyTransport(inner, { random, share: 0.05, kindOf });
  });
  clients = transports.map((transport) =>
    Conclave.over(transport, { runtime: systemRuntime, namespace, sessionTtlMs: 20_000 }),
  );
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await recorder[Symbol.asyncDispose]();
  await observer.close();
  await cluster.dispose();
});

it(
  'each job is put once and done once, though one answer in twenty is lost',
  { timeout: 3 * guardMs },
  async () => {
    console.log(
      `seed ${seed}; to repeat: CHAOS_SEED=${seed} npm run test:cluster -- test/queue/lost-answers`,
    );
    const deliveries: Handling[] = [];
    const acks: Handling[] = [];
    const setbacks: unknown[] = [];
    const stop = new AbortController();

    const handle = async (delivery: Delivery): Promise<void> => {
      const { id, fencingToken: token } = delivery;
      deliveries.push({ id, token });
      const isFirst = compare.createRevision(`done/${id}`, '=', 0n);
      const effect = { if: [...delivery.guard(), isFirst], then: [put(`done/${id}`, String(token))] };
      expect((await observer.store.txn(effect)).succeeded).toBe(true);
      await delivery.ack();
      acks.push({ id, token });
    };
    const workers = clients.slice(3).map((client) =>
      client.queue('q').work(handle, {
        concurrency: 4,
        signal: stop.signal,
        onError: (error) => setbacks.push(error),
      }),
    );
    const produced = await Promise.all(clients.slice(0, 3).map((client, i) => produce(client, String(i))));
    const enqueues = produced.flat();
    await vi.waitFor(async () => expect(await waiting()).toBe(0), { timeout: guardMs, interval: 50 });
    stop.abort();
    await Promise.all(workers);

    await recorder.catchUp();
    const jobs = jobsIn(recorder.livesBelow(`${namespace}/`), namespace, 'q');
    const lost = transports.map((transport) => transport.lost);
    const sum = (kind: string): number => lost.reduce((total, each) => total + (each[kind] ?? 0), 0);
    figure('answers lost', JSON.stringify({ enqueue: sum('enqueue'), claim: sum('claim'), ack: sum('ack') }));
    for (const kind of ['enqueue', 'claim', 'ack']) expect(sum(kind)).toBeGreaterThan(0);
    const told = { wanted: enqueues.map(({ id }) => id), enqueues, deliveries, acks, empties: [] };
    expect(violations(told, jobs)).toEqual([]);
    expect(setbacks).toEqual([]);
    expect([jobs.size, redeliveries(jobs), untold(told, jobs)]).toEqual([3 * jobsEach, 0, 0]);
  },
);

/** Every other one by an id of its own: that one is asked for twice. */
async function produce(client: Conclave, name: string): Promise<Enqueue[]> {
  const queue = client.queue('q');
  const enqueues: Enqueue[] = [];
  for (let i = 0; i < jobsEach; i++) {
    const began = process.hrtime.bigint();
    const isNamed = i % 2 === 0;
    const { id, created } = await queue.enqueue(i, isNamed ? { id: `${name}-${i}` } : {});
    const returned = process.hrtime.bigint();
    expect(created).toBe(true);
    enqueues.push({ id, lane: 0, began, returned });
    if (isNamed) expect(await queue.enqueue(i, { id })).toEqual({ id, created: false });
  }
  return enqueues;
}

async function waiting(): Promise<number> {
  const jobs = await observer.store.get(prefix(`${namespace}/queue/q/job/`), { countOnly: true });
  return jobs.count;
}

/** Enqueueing puts a body, claiming reads it, and acknowledging removes it. */
function kindOf(request: TxnOp): string | undefined {
  const bodies = opsIn(request).filter((op) =>
    toText(op.kind === 'put' ? op.key : op.range.key).startsWith(`${namespace}/queue/q/job/`),
  );
  const kinds = new Set(bodies.map(({ kind }) => kind));
  if (kinds.has('put')) return 'enqueue';
  if (kinds.has('remove')) return 'ack';
  const isClaim = opsIn(request).some(
    (op) => op.kind === 'put' && toText(op.key).startsWith(`${namespace}/queue/q/active/`),
  );
  return isClaim ? 'claim' : undefined;
}

function opsIn({ then, else: otherwise }: TxnOp): Exclude<Op, { kind: 'txn' }>[] {
  return [...then, ...otherwise].flatMap((op) => (op.kind === 'txn' ? opsIn(op) : [op]));
}
