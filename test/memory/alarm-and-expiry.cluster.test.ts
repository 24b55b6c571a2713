import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { get, prefix, put, remove, txn } from '../../src/store/operations.js';
import type { Calls, Method, Transport, WatchMessage } from '../../src/store/transport.js';
import { TransportError } from '../../src/store/transport.js';
import { Cluster } from '../rig/cluster.js';
import { ManualRuntime } from './manual-runtime.js';
import { comparable, plain } from './plain.js';
import { Inbox, textOf } from './support.js';

// What the random comparison cannot do: it would stop the one by the alarm, and wait in the other for the server's clock.

const runtime = new ManualRuntime();
const engine = new Engine({ runtime });
const memory = new MemoryTransport(engine);
let cluster: Cluster;
let server: EtcdTransport;

beforeAll(async () => {
  cluster = await Cluster.start();
  const { endpoints } = cluster;
  server = new EtcdTransport({ endpoints, runtime: systemRuntime, dialTimeoutMs: 5_000 });
}, 30_000);

afterAll(async () => {
  engine.close();
  await server.close();
  await cluster[Symbol.asyncDispose]();
});

async function answerOf<M extends Method>(
  transport: Transport,
  method: M,
  request: Calls[M]['request'],
): Promise<string> {
  const options = { signal: AbortSignal.timeout(10_000), requireLeader: true };
  try {
    return plain(
      comparable(request, await transport.unary(transport.endpoints[0]!, method, request, options)),
    );
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    return plain(comparable(request, error));
  }
}

async function expectSame<M extends Method>(method: M, request: Calls[M]['request']): Promise<void> {
  expect(await answerOf(memory, method, request)).toBe(await answerOf(server, method, request));
}

async function alarm(action: 'ACTIVATE' | 'DEACTIVATE'): Promise<void> {
  engine.noSpace = action === 'ACTIVATE';
  const { header } = await server.unary(
    cluster.endpoints[0]!,
    'status',
    {},
    { signal: AbortSignal.timeout(10_000), requireLeader: true },
  );
  const response = await fetch(`${cluster.endpoints[0]!}/v3/maintenance/alarm`, {
    method: 'POST',
    body: JSON.stringify({ action, memberID: String(header.memberId), alarm: 'NOSPACE' }),
  });
  expect(response.ok).toBe(true);
}

it('refuses under the alarm what a real etcd refuses', async () => {
  await expectSame('leaseGrant', { id: 7n, ttlSeconds: 600 });
  await expectSame('put', put('a', '1', { lease: 7n }));
  await alarm('ACTIVATE');
  await expectSame('put', put('a', '2'));
  await expectSame('put', put('a', '2', { lease: 8n }));
  await expectSame('leaseGrant', { id: 8n, ttlSeconds: 600 });
  await expectSame('txn', txn({ then: [get('a')], else: [put('b', '')] }));
  await expectSame('txn', txn({ then: [put('b', ''), put('b', '')] }));
  await expectSame('txn', txn({ then: [txn({ then: [put('nested', '')] })] })); // the alarm does not look this deep
  await expectSame('txn', txn({ then: [remove('a')] }));
  await expectSame('leaseTimeToLive', { id: 7n, keys: true });
  await expectSame('leaseRevoke', { id: 7n });
  await alarm('DEACTIVATE');
  await expectSame('put', put('a', '3'));
  await expectSame('get', get(prefix('')));
});

it('deletes the keys of an expired lease in the revision and the order in which a real etcd does', async () => {
  await expectSame('leaseGrant', { id: 9n, ttlSeconds: 1 });
  const inboxes = [memory, server].map((transport) => {
    const inbox = new Inbox<WatchMessage>();
    transport.watchStream(transport.endpoints[0]!, inbox).send({
      kind: 'create',
      watchId: 1n,
      range: prefix('leased/'),
      startRevision: 0n,
      prevKv: true,
      exclude: ['put'],
    });
    return inbox;
  });
  await vi.waitUntil(() => inboxes.every(({ messages }) => messages.length === 1));
  for (const key of ['leased/b', 'leased/c', 'leased/a'])
    await expectSame('put', put(key, key, { lease: 9n }));
  runtime.advance(2_500);
  await vi.waitUntil(() => inboxes.every(({ messages }) => messages.length === 2), 10_000);
  const [expected, actual] = inboxes.map(({ messages }) => messages[1]!.events.map(textOf));
  expect(expected).toEqual(actual);
  await expectSame('leaseTimeToLive', { id: 9n, keys: true });
  await expectSame('leaseRevoke', { id: 9n });
  await expectSame('get', get(prefix('')));
}, 20_000);
