import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { connect, type ConnectOptions } from '../../src/index.js';
import { Certificates } from '../rig/certificates.js';
import { Client } from '../etcd/fixture.js';
import { patience } from '../rig/patience.js';
import { Secured } from './fixture.js';

const password = 'correct-horse-battery-staple';
const wrongPassword = 'incorrect-donkey';
const value = 'the value of a job';
const names = [
  ...['acquired', 'released', 'lost', 'job-failed', 'session-opened', 'session-lost'],
  ...['keep-alive', 'retry', 'event-loop-lag'],
];

let certificates: Certificates;
let etcd: Secured;
/** Everything that was said: errors with all that hangs on them, and diagnostics. */
const said: string[] = [];
const hear = (message: unknown, name: string | symbol): void =>
  void said.push(`${String(name)} ${show(message)}`);
const show = (what: unknown): string =>
  inspect(what, { depth: Infinity, showHidden: true, maxArrayLength: null });

beforeAll(async () => {
  certificates = await Certificates.create();
  etcd = await Secured.start({ certificates });
  await etcd.user('ann', { readwrite: ['ann/'] });
  await etcd.admin.userChangePassword({ name: 'ann', password });
  for (const name of names) subscribe(`conclave:${name}`, hear);
});

afterAll(async () => {
  for (const name of names) unsubscribe(`conclave:${name}`, hear);
  await etcd[Symbol.asyncDispose]();
  await certificates[Symbol.asyncDispose]();
});

function connecting(options: ConnectOptions = {}) {
  const { cert, key } = certificates.client;
  const tls = { ca: certificates.authority.cert, cert, key };
  return etcd.connect({ tls, username: 'ann', password, namespace: 'ann', dialTimeoutMs: 500, ...options });
}

async function fails(attempt: Promise<unknown>): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('it did not fail');
  said.push(`${String(error)} ${show(error)} ${JSON.stringify(error)}`);
}

it('neither errors nor diagnostics tell passwords, tokens, keys of certificates, or values', async () => {
  const ann = await connecting();
  await fails(connecting({ password: wrongPassword }));
  await fails(connecting({ namespace: 'other' }));
  await fails(connecting({ endpoints: ['https://127.0.0.1:1'] }));
  await fails(connecting({ tls: {} }));
  await fails(connecting({ tls: { cert: certificates.client.key, key: certificates.client.key } }));
  await fails(connecting({ endpoints: [`https://ann:${password}@127.0.0.1:1`] }));
  await fails(connect(`etcd://ann:${password}@127.0.0.1:1`));
  await ann.queue('q').enqueue(value);
  const failing = await ann.queue('q', { attempts: 1 }).receive();
  await failing.fail(new Error('no'));
  await ann.mutex('m').run(() => {});
  await fails(ann.store.put('elsewhere', value));
  await etcd.withdraw('ann', 'ann/');
  await fails(ann.queue('q').enqueue(value));
  await fails(ann.store.watch('ann/k')[Symbol.asyncIterator]().next());
  await etcd.admin.userChangePassword({ name: 'ann', password: 'another' });
  await fails(ann.mutex('m').acquire());
  await fails(ann.election('e').campaign(value));
  await ann.close({ drainTimeoutMs: 0 });

  const everything = said.join('\n');
  const [, keyText = ''] = certificates.client.key.split('\n');
  expect(said.length).toBeGreaterThan(15);
  expect(everything).toContain('permission denied'); // it does tell what it should
  for (const secret of [password, wrongPassword, value, keyText]) expect(everything).not.toContain(secret);
  // A simple token: sixteen letters, a dot, an index.
  expect(everything).not.toMatch(/\b[A-Za-z]{16}\.\d+\b/);
});

it('etcd before 3.4.42 lets anybody see and prolong leases, without a login; not end one that has keys', async () => {
  const tls = { ca: certificates.authority.cert };
  const root = await connecting({ username: 'root', password: 'root of all', namespace: 'root' });
  const own = await root.withSession();
  await using anybody = new Client(etcd.cluster.endpoints[0]!, { tls });
  const { leases } = await anybody.call('leaseList', {});
  expect(leases).toContain(own.leaseId);
  const { stream, messages } = anybody.keepAlive();
  stream.send({ lease: own.leaseId });
  await expect.poll(() => messages, patience).toMatchObject([{ lease: own.leaseId, ttlSeconds: 15 }]);
  expect(await anybody.failure('leaseRevoke', { id: own.leaseId })).toMatchObject({
    detail: 'etcdserver: user name is empty',
  });
});
