import { expect, it } from 'vitest';
import { AuthError } from '../../src/base/errors.js';
import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Store } from '../../src/store/store.js';
import { Cluster } from '../rig/cluster.js';

it('ends a watch that etcd refuses, and only that', async () => {
  await using cluster = await Cluster.start({ rootPassword: 'secret' });
  await cluster.etcdctl('user', 'add', 'alice:pw');
  await cluster.etcdctl('role', 'add', 'reader');
  await cluster.etcdctl('role', 'grant-permission', 'reader', 'readwrite', 'allowed');
  await cluster.etcdctl('user', 'grant-role', 'alice', 'reader');
  const transport = new EtcdTransport({
    endpoints: cluster.endpoints,
    username: 'alice',
    password: 'pw',
    runtime: systemRuntime,
    dialTimeoutMs: 5_000,
  });
  const store = new Store(transport, { runtime: systemRuntime });
  try {
    const allowed = store.watch('allowed');
    const first = allowed.next();
    await expect(store.watch('forbidden').next()).rejects.toBeInstanceOf(AuthError);
    expect((await first).value).toMatchObject({ kind: 'created' });
    const { header } = await store.put('allowed', '1');
    expect((await allowed.next()).value).toMatchObject({ kind: 'events', revision: header.revision });
  } finally {
    await store.close();
  }
}, 30_000);

it('refuses a wrong password at once, to calls and to watches', async () => {
  await using cluster = await Cluster.start({ rootPassword: 'secret' });
  const transport = new EtcdTransport({
    endpoints: cluster.endpoints,
    username: 'root',
    password: 'wrong',
    runtime: systemRuntime,
    dialTimeoutMs: 5_000,
  });
  const store = new Store(transport, { runtime: systemRuntime });
  try {
    await expect(store.put('k', 'v', { timeoutMs: 20_000 })).rejects.toMatchObject({
      code: 'AUTH',
      message: expect.stringContaining('wrong user name or password') as string,
    });
    await expect(store.watch('k').next()).rejects.toBeInstanceOf(AuthError);
  } finally {
    await store.close();
  }
}, 30_000);
