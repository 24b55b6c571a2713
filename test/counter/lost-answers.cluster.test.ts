import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import type { TxnOp } from '../../src/store/operations.js';
import { Random } from '../../src/testing/random.js';
import { Cluster } from '../rig/cluster.js';
import { LossyTransport } from '../rig/lossy-transport.js';
import { guardMs } from '../rig/patience.js';

const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
const random = new Random(seed);
let cluster: Cluster;
let transports: LossyTransport[];
let clients: Conclave[];

const isAbout = (request: TxnOp, part: string): boolean =>
  request.then.some((op) => op.kind === 'put' && Buffer.from(op.key).toString().includes(part));

function kindOf(request: TxnOp): string | undefined {
  return ['/counter/', '/ids/', 'accounts/'].find((part) => isAbout(request, part));
}

beforeAll(async () => {
  cluster = await Cluster.start();
  const { endpoints } = cluster;
  transports = Array.from({ length: 4 }, () => {
    const inner = new EtcdTransport({ endpoints, runtime: systemRuntime, dialTimeoutMs: 5_000 });
    return new LossyTransport(inner, { random, share: 0.05, kindOf });
  });
  clients = transports.map((transport) => Conclave.over(transport, { runtime: systemRuntime }));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await cluster.dispose();
});

const lost = (kind: string): number => transports.reduce((sum, each) => sum + (each.lost[kind] ?? 0), 0);
const note = (): void =>
  console.log(
    `seed ${seed}; to repeat: CHAOS_SEED=${seed} npm run test:cluster -- test/counter/lost-answers`,
  );

it(
  '200 additions of four processes are each counted once, though one answer in twenty is lost',
  { timeout: guardMs },
  async () => {
    note();
    const values: bigint[] = [];
    await Promise.all(
      clients.map(async (client) => {
        const counter = client.counter('c');
        for (let i = 0; i < 50; i++) values.push(await counter.add());
      }),
    );
    expect(values.sort((a, b) => Number(a - b))).toEqual(
      Array.from({ length: 200 }, (_, i) => BigInt(i + 1)),
    );
    expect(lost('/counter/')).toBeGreaterThan(0);
  },
);

it('ids are all different, though one answer in twenty is lost', { timeout: guardMs }, async () => {
  const taken: bigint[] = [];
  await Promise.all(
    clients.map(async (client) => {
      const ids = client.ids('i', { block: 2 });
      for (let i = 0; i < 120; i++) taken.push(await ids.next());
    }),
  );
  expect(new Set(taken).size).toBe(480);
  expect(lost('/ids/')).toBeGreaterThan(0);
});

it(
  'transfers by conclave.atomically are each done once, though one answer in twenty is lost',
  { timeout: guardMs },
  async () => {
    await Promise.all(
      clients.map(async (client) => {
        for (let i = 0; i < 50; i++) {
          await client.atomically(async (txn) => {
            const [from, to] = await Promise.all([txn.getText('accounts/a'), txn.getText('accounts/b')]);
            txn.put('accounts/a', String(Number(from ?? 0) - 1));
            txn.put('accounts/b', String(Number(to ?? 0) + 1));
          });
        }
      }),
    );
    const [from, to] = await Promise.all(
      ['a', 'b'].map(async (name) => clients[0]?.store.get(`accounts/${name}`)),
    );
    const textOf = (answer: typeof from): string => Buffer.from(answer?.kvs[0]?.value ?? []).toString();
    expect([textOf(from), textOf(to)]).toEqual(['-200', '200']);
    expect(lost('accounts/')).toBeGreaterThan(0);
  },
);
