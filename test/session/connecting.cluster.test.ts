import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, type ConnectOptions } from '../../src/connect.js';
import { figure, guardMs } from '../lock/fixture.js';
import { Certificates } from '../rig/certificates.js';
import { Cluster } from '../rig/cluster.js';
import { freePorts } from '../rig/ports.js';
import { Proxy } from '../rig/proxy.js';

/** How `connect` failed, and after how long. */
async function failure(options: ConnectOptions): Promise<{ error: Error; afterMs: number }> {
  const startedAt = performance.now();
  try {
    const conclave = await connect(options);
    await conclave.close();
  } catch (error) {
    return { error: error as Error, afterMs: performance.now() - startedAt };
  }
  throw new Error('it did not fail');
}

describe('connect to where no etcd is', { timeout: guardMs }, () => {
  const dialTimeoutMs = 1_000;

  it.each(['nothing listens', 'nothing answers'])(
    '(%s) is unavailable in time, naming the endpoints',
    async (what) => {
      const [port] = await freePorts(1);
      await using proxy = await Proxy.start(`http://127.0.0.1:${port}`);
      await proxy.set(what === 'nothing answers' ? 'silent' : 'refuse');
      const endpoints = [proxy.endpoint, `http://127.0.0.1:${port}`];
      const { error, afterMs } = await failure({ endpoints, dialTimeoutMs });
      figure(`unavailable since ${what}, dial timeout 1000 ms`, afterMs);
      expect(error).toMatchObject({ code: 'UNAVAILABLE' });
      for (const endpoint of endpoints) expect(error.message).toContain(endpoint);
      expect(afterMs).toBeLessThan(10 * dialTimeoutMs);
    },
  );

  it('is refused at once for what can never be right', async () => {
    const endpoint = 'http://127.0.0.1:1';
    for (const options of [
      { sessionTtlMs: 1_999 },
      { sessionTtlMs: NaN },
      { sessionTtlMs: 2_500 },
      { namespace: '' },
      { namespace: '/x' },
      { dialTimeoutMs: NaN },
      { dialTimeoutMs: -1 },
      { username: 'somebody' },
      { password: 'secret' },
    ]) {
      const { error } = await failure({ endpoints: [endpoint], ...options });
      expect([options, error instanceof TypeError || error instanceof RangeError]).toEqual([options, true]);
    }
    await expect(connect('')).rejects.toThrow(TypeError);
    await expect(connect('127.0.0.1:2379')).rejects.toThrow(TypeError);
    await expect(connect({ endpoints: [] })).rejects.toThrow(TypeError);
  });

  it('a member that is alive is found behind dead and silent ones', async () => {
    await using cluster = await Cluster.start();
    const [port] = await freePorts(1);
    await using silent = await Proxy.start(cluster.endpoints[0]!);
    await silent.set('silent');
    const endpoints = [silent.endpoint, `http://127.0.0.1:${port}`, ...cluster.endpoints];
    for (let i = 0; i < 3; i++) {
      const startedAt = performance.now();
      await using conclave = await connect({ endpoints });
      await conclave.mutex(randomUUID()).run(async () => {});
      figure('connected past dead and silent endpoints', performance.now() - startedAt);
    }
  });
});

describe('on an etcd with users', { timeout: guardMs }, () => {
  let cluster: Cluster;
  const namespace = 'services/billing';

  beforeAll(async () => {
    cluster = await Cluster.start({ rootPassword: 'secret' });
    const etcdctl = (...args: string[]): Promise<string> => cluster.etcdctl(...args);
    await etcdctl('role', 'add', 'billing');
    await etcdctl('role', 'grant-permission', 'billing', '--prefix=true', 'readwrite', `${namespace}/`);
    await etcdctl('user', 'add', 'billing:pass');
    await etcdctl('user', 'grant-role', 'billing', 'billing');
  });

  afterAll(() => cluster.dispose());

  const login = (): ConnectOptions => ({
    endpoints: cluster.endpoints,
    username: 'billing',
    password: 'pass',
    namespace,
  });

  it('a wrong password is an AuthError that says so', async () => {
    const { error } = await failure({ ...login(), password: 'wrong' });
    expect(error).toMatchObject({ code: 'AUTH' });
    expect(error.message).toMatch(/wrong user name or password/);
  });

  it('a missing login is an AuthError that says so', async () => {
    const { error } = await failure({ endpoints: cluster.endpoints, namespace });
    expect(error).toMatchObject({ code: 'AUTH' });
    expect(error.message).toMatch(/user name and password/);
  });

  it('a role that does not cover the namespace is an AuthError that says so', async () => {
    const { error } = await failure({ ...login(), namespace: 'services/billing2' });
    expect(error).toMatchObject({ code: 'AUTH' });
    expect(error.message).toMatch(/permission denied/);
  });

  it('a role limited to the namespace can lock, wait, be handed over and unlock', async () => {
    await using one = await connect(login());
    await using other = await connect(login());
    const name = randomUUID();
    const hold = await one.mutex(name).acquire();
    expect(await other.mutex(name).tryAcquire()).toBeUndefined();
    const next = other.mutex(name).acquire();
    const local = one.mutex(name).acquire();
    await hold.release();
    const order = [(await next).fencingToken];
    await (await next).release();
    order.push((await local).fencingToken);
    await (await local).release();
    expect(order[1]).toBeGreaterThan(order[0]!);
    expect((await one.mutex(name).inspect()).holder).toBeUndefined();
  });

  it('a path outside of the permissions is an AuthError at acquire, and nothing is left', async () => {
    await using conclave = await connect(login());
    const mutex = conclave.mutex({ path: `elsewhere/${randomUUID()}` });
    await expect(mutex.acquire()).rejects.toMatchObject({ code: 'AUTH' });
    await expect(mutex.tryAcquire()).rejects.toMatchObject({ code: 'AUTH' });
    expect((await cluster.etcdctl('get', '--prefix', 'elsewhere')).trim()).toBe('');
    // The line within the namespace is not affected.
    await conclave.mutex('x').run(async () => {});
  });

  it('a permission that is withdrawn while a waiter waits rejects it, and does not stop the holder from releasing its own', async () => {
    await cluster.etcdctl('role', 'add', 'extra');
    await cluster.etcdctl('role', 'grant-permission', 'extra', '--prefix=true', 'readwrite', 'shared/');
    await cluster.etcdctl('user', 'grant-role', 'billing', 'extra');
    await using one = await connect(login());
    await using other = await connect(login());
    const hold = await one.mutex({ path: 'shared/x' }).acquire();
    expect(hold.isHeld()).toBe(true);
    await cluster.etcdctl('user', 'revoke-role', 'billing', 'extra');
    await expect(other.mutex({ path: 'shared/x' }).acquire()).rejects.toMatchObject({ code: 'AUTH' });
    await cluster.etcdctl('user', 'grant-role', 'billing', 'extra');
    await hold.release();
  });
});

describe('on an etcd with TLS', { timeout: guardMs }, () => {
  it('a certificate of an authority that is not trusted is an AuthError that says so, at once', async () => {
    await using certificates = await Certificates.create();
    await using strangers = await Certificates.create();
    await using cluster = await Cluster.start({ certificates });
    const { endpoints } = cluster;
    const { error, afterMs } = await failure({ endpoints, tls: { ca: strangers.authority.cert } });
    expect(error).toMatchObject({ code: 'AUTH' });
    expect(error.message).toMatch(/certificate/);
    expect(error.message).toMatch(/tls\.ca/);
    figure('a certificate that is not trusted was reported after', afterMs);
    await using conclave = await connect({ endpoints, tls: { ca: certificates.authority.cert } });
    await conclave.mutex('x').run(async () => {});
  });
});
