import { expect, it } from 'vitest';
import type { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { compare, get, prefix, put, remove, txn } from '../../src/store/operations.js';
import type { WatchMessage } from '../../src/store/transport.js';
import { Inbox, open, settled } from './support.js';

const options = { signal: new AbortController().signal, requireLeader: true };

function connect(endpoints?: readonly string[]): { engine: Engine; transport: MemoryTransport } {
  const { engine } = open();
  return { engine, transport: new MemoryTransport(engine, endpoints) };
}

it('answers a request', async () => {
  const { transport } = connect();
  const answer = await transport.unary('memory:', 'put', put('a', '1'), options);
  expect(answer).toEqual({
    kind: 'put',
    header: { clusterId: 1n, memberId: 1n, revision: 2n, raftTerm: 2n },
  });
});

it('shows one engine through every transport and every endpoint', async () => {
  const { engine, transport } = connect(['m1', 'm2']);
  await transport.unary('m1', 'put', put('a', '1'), options);
  expect((await transport.unary('m2', 'get', get('a'), options)).count).toBe(1);
  expect((await new MemoryTransport(engine).unary('memory:', 'get', get('a'), options)).count).toBe(1);
});

it('delivers watch events after the call that caused them has returned', async () => {
  const { transport } = connect();
  const inbox = new Inbox<WatchMessage>();
  const watch = transport.watchStream('memory:', inbox);
  watch.send({
    kind: 'create',
    watchId: 1n,
    range: prefix('a'),
    startRevision: 0n,
    prevKv: false,
    exclude: [],
  });
  const answer = transport.unary('memory:', 'put', put('a', '1'), options);
  expect(inbox.messages).toEqual([]);
  await answer;
  await settled();
  expect(inbox.messages.map(({ created, events }) => [created, events.length])).toEqual([
    [true, 0],
    [false, 1],
  ]);
});

it('rejects with the error of the server', async () => {
  const { transport } = connect();
  await expect(
    transport.unary('memory:', 'put', put('a', '1', { lease: 7n }), options),
  ).rejects.toMatchObject({
    status: 'not-found',
    detail: 'etcdserver: requested lease not found',
  });
});

it('rejects as cancelled when the signal aborts, though the request was executed', async () => {
  const { engine, transport } = connect();
  const abort = new AbortController();
  const answer = transport.unary('memory:', 'put', put('a', '1'), { ...options, signal: abort.signal });
  abort.abort();
  await expect(answer).rejects.toMatchObject({ status: 'cancelled' });
  expect(engine.execute('get', get('a')).count).toBe(1);
});

it('ends calls and streams as unavailable at a reset, and connects anew', async () => {
  const { transport } = connect();
  const inbox = new Inbox<WatchMessage>();
  transport.watchStream('memory:', inbox);
  const answer = transport.unary('memory:', 'remove', remove('a'), options);
  transport.reset('memory:');
  await expect(answer).rejects.toMatchObject({ status: 'unavailable' });
  await settled();
  expect(inbox.errors.map(({ status }) => status)).toEqual(['unavailable']);
  await transport.unary('memory:', 'get', get('a'), options);
});

it('ends everything as cancelled at close, and leaves the engine to others', async () => {
  const { engine, transport } = connect();
  const inbox = new Inbox<WatchMessage>();
  transport.watchStream('memory:', inbox);
  await transport.close();
  await transport.close();
  transport.watchStream('memory:', inbox);
  await settled();
  expect(inbox.errors.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
  await expect(transport.unary('memory:', 'get', get('a'), options)).rejects.toMatchObject({
    status: 'cancelled',
    neverSent: true,
  });
  expect(engine.execute('get', get('a')).count).toBe(0);
});

it('has no endpoint that was not named', async () => {
  const { transport } = connect();
  await expect(transport.unary('elsewhere', 'get', get('a'), options)).rejects.toMatchObject({
    status: 'unavailable',
    neverSent: true,
  });
});

it('is unavailable once the engine is closed', async () => {
  const { engine, transport } = connect();
  const inbox = new Inbox<WatchMessage>();
  transport.watchStream('memory:', inbox);
  engine.close();
  await settled();
  expect(inbox.errors.map(({ status }) => status)).toEqual(['unavailable']);
  await expect(
    transport.unary('memory:', 'txn', txn({ if: [compare.version('a', '=', 0n)] }), options),
  ).rejects.toMatchObject({ status: 'unavailable' });
});
