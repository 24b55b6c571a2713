import { once as event } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { put } from '../../src/index.js';
import { Connection } from '../../src/session/connection.js';
import { onceInAnySession } from '../../src/session/once.js';
import type { Session } from '../../src/session/session.js';
import { Store } from '../../src/store/store.js';
import { type Method, TransportError } from '../../src/store/transport.js';
import { outcome } from '../lock/observe.js';
import { RecordingTransport } from '../rig/recording-transport.js';
import { etcdBackend } from '../store/backends.js';
import type { Backend } from '../store/contract.js';

let etcd: Backend;
let admin: Store;
let transport: RecordingTransport;
let store: Store;
let connection: Connection;
let session: Session;

beforeAll(async () => {
  etcd = await etcdBackend();
});

afterAll(() => etcd[Symbol.asyncDispose]());

beforeEach(async () => {
  admin = new Store(etcd.transport(), { runtime: systemRuntime });
  await admin.remove('mark');
  transport = new RecordingTransport(etcd.transport());
  store = new Store(transport, { runtime: systemRuntime });
  const holder = { name: 'test', host: 'test', pid: 1, ns: 'conclave' };
  connection = new Connection(store, {
    runtime: systemRuntime,
    namespace: 'conclave',
    ttlMs: 60_000,
    holder,
  });
  session = await connection.session();
});

afterEach(async () => {
  await connection.close();
  await store.close();
  await admin.close();
});

/**
 * Begins a transaction, of which the request or the answer is lost, and ends the session. Until `mend` nothing can be found
 * out: nothing else comes through.
 */
async function beginAndEnd(lost: 'request' | 'answer'): Promise<{ readonly doing: Promise<unknown> }> {
  const cut = new AbortController();
  const lose = (method: Method): void => {
    if (method !== 'txn' && method !== 'get') return;
    transport.onCall = lose;
    cut.abort();
    throw new TransportError('unavailable', 'the connection broke');
  };
  if (lost === 'request') transport.onCall = lose;
  else transport.onAnswer = lose;
  const isCut = event(cut.signal, 'abort');
  const parts = { if: [], then: [put('mark', 'x')] };
  const doing = outcome(onceInAnySession(connection, parts, new AbortController().signal));
  await isCut;
  for (let i = 0; i < 50; i++) await admin.put('other', String(i));
  const ended = event(session.signal, 'abort');
  await admin.lease.revoke(session.leaseId);
  await ended;
  return { doing };
}

function mend(): void {
  transport.onCall = transport.onAnswer = () => {};
}

it('what was done once on etcd before its session ended is known to be done', async () => {
  const { doing } = await beginAndEnd('answer');
  await admin.put('other', 'later');
  mend();

  const result = await doing;

  const { kvs } = await admin.get('mark');
  expect(kvs).toMatchObject([{ version: 1n }]);
  expect(result).toEqual({ isDone: true, revision: kvs[0]?.modRevision, responses: undefined });
});

it('what was not done on etcd before its session ended is done under the next one', async () => {
  const { doing } = await beginAndEnd('request');
  mend();

  expect(await doing).toMatchObject({ isDone: true, responses: [{ kind: 'put' }] });
  expect((await admin.get('mark')).kvs).toMatchObject([{ version: 1n }]);
  expect(connection.openSession).not.toBe(session);
});

it('what was done once on etcd stays unknown if the end of its session is compacted away', async () => {
  const { doing } = await beginAndEnd('answer');
  const { header } = await admin.put('other', 'later');
  await admin.compact(header.revision);
  mend();

  expect(await doing).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
});
