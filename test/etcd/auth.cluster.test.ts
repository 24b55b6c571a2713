import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { get, put, toRange } from '../../src/store/operations.js';
import { Cluster } from '../rig/cluster.js';
import { Client, watchOf } from './fixture.js';
import { patience } from '../rig/patience.js';

const tokenTtlMs = 1_000;
let cluster: Cluster;
let endpoint: string;

beforeAll(async () => {
  cluster = await Cluster.start({
    rootPassword: 'secret',
    flags: [`--auth-token-ttl=${tokenTtlMs / 1_000}`],
  });
  endpoint = cluster.endpoints[0]!;
  await cluster.etcdctl('user', 'add', 'alice:pw');
  await cluster.etcdctl('role', 'add', 'reader');
  await cluster.etcdctl('role', 'grant-permission', 'reader', 'read', 'allowed');
  await cluster.etcdctl('user', 'grant-role', 'alice', 'reader');
}, 30_000);

afterAll(() => cluster.dispose());

/** A client that counts its logins. */
class CountingClient extends Client {
  readonly #logins: { readonly count: number };

  constructor(username: string, password: string) {
    const logins = { count: 0 };
    super(endpoint, {
      username,
      password: () => {
        logins.count += 1;
        return password;
      },
    });
    this.#logins = logins;
  }

  get logins(): number {
    return this.#logins.count;
  }
}

/** The server forgets a token that was not used for its time; only time shows it. */
const tokensExpire = (): Promise<void> => delay(tokenTtlMs * 2.5);

describe('a login', () => {
  it('is made once for many calls', async () => {
    await using client = new CountingClient('root', 'secret');
    await Promise.all(Array.from({ length: 50 }, () => client.call('put', put('k', ''))));
    expect(client.logins).toBe(1);
  });

  it('is renewed, once for many calls, when the server has forgotten the token', async () => {
    await using client = new CountingClient('root', 'secret');
    await client.call('put', put('k', ''));
    await tokensExpire();
    await Promise.all(Array.from({ length: 50 }, () => client.call('put', put('k', ''))));
    expect(client.logins).toBe(2);
  }, 10_000);

  it('is made anew for each stream', async () => {
    await using client = new CountingClient('root', 'secret');
    await client.call('put', put('k', ''));
    await tokensExpire();
    const { stream, messages, ends } = client.watch();
    stream.send(watchOf(1n, toRange('k'), { startRevision: 1n }));
    await vi.waitFor(
      () => expect(messages.flatMap(({ events }) => events).length).toBeGreaterThan(0),
      patience,
    );
    expect([ends, client.logins]).toEqual([[], 2]);
  }, 10_000);

  it('with a wrong password fails with the text of the server, and the request was never sent', async () => {
    await using client = new Client(endpoint, { username: 'root', password: 'wrong' });
    const refusal = {
      status: 'invalid-argument',
      detail: 'etcdserver: authentication failed, invalid user ID or password',
      neverSent: true,
    };
    expect(await client.failure('put', put('k', ''))).toMatchObject(refusal);
    const { ends } = client.keepAlive();
    await vi.waitFor(() => expect(ends).toMatchObject([refusal]), patience);
  });

  it('can be configured before authentication is enabled', async () => {
    await using open = await Cluster.start();
    await using client = new Client(open.endpoints[0]!, { username: 'root', password: 'later' });
    await client.call('put', put('k', ''));
    await open.etcdctl('user', 'add', 'root:later');
    await open.etcdctl('user', 'grant-role', 'root', 'root');
    await open.etcdctl('auth', 'enable');
    await client.call('put', put('k', ''));
  }, 20_000);

  it('survives changes of the users and roles when tokens are signed ones', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'conclave-jwt-'));
    try {
      const [key, publicKey] = [join(directory, 'key.pem'), join(directory, 'pub.pem')];
      execFileSync('openssl', ['genrsa', '-out', key, '2048'], { stdio: 'ignore' });
      execFileSync('openssl', ['rsa', '-in', key, '-pubout', '-out', publicKey], { stdio: 'ignore' });
      const flag = `--auth-token=jwt,pub-key=${publicKey},priv-key=${key},sign-method=RS256,ttl=5m`;
      await using signed = await Cluster.start({ rootPassword: 'secret', flags: [flag] });
      await using client = new Client(signed.endpoints[0]!, { username: 'root', password: 'secret' });
      await client.call('put', put('k', ''));
      await signed.etcdctl('role', 'add', 'another'); // now "revision of auth store is old"
      await client.call('put', put('k', ''));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }, 20_000);
});

describe('without the right to do it', () => {
  it('a call is refused by name, and the login is not repeated', async () => {
    await using client = new CountingClient('alice', 'pw');
    await client.call('get', get('allowed'));
    expect(await client.failure('put', put('allowed', ''))).toMatchObject({
      status: 'permission-denied',
      detail: 'etcdserver: permission denied',
      neverSent: false,
    });
    expect(client.logins).toBe(1);
  });

  it('a watch is cancelled without saying which, in the order of creation; the others on its stream go on', async () => {
    await using client = new Client(endpoint, { username: 'alice', password: 'pw' });
    const { stream, messages } = client.watch();
    stream.send(watchOf(1n, toRange('forbidden')));
    stream.send(watchOf(2n, toRange('allowed')));
    await vi.waitFor(() => expect(messages).toHaveLength(2), patience);
    expect(messages).toMatchObject([
      {
        watchId: -1n,
        created: true,
        canceled: true,
        cancelReason: expect.stringContaining('permission denied') as string,
      },
      { created: true, canceled: false, watchId: 2n },
    ]);
  });

  it('a call without a login is refused', async () => {
    await using client = new Client(endpoint);
    expect(await client.failure('get', get('k'))).toMatchObject({
      status: 'invalid-argument',
      detail: 'etcdserver: user name is empty',
    });
  });
});

describe('a password that is not given', () => {
  const never = (): Promise<string> => new Promise(() => {});

  it('does not keep a call past its signal', async () => {
    await using client = new Client(endpoint, { username: 'root', password: never });
    expect(await client.failure('get', get('k'), AbortSignal.timeout(50))).toMatchObject({
      status: 'cancelled',
      neverSent: true,
    });
  });

  it('does not keep a stream past the dial timeout', async () => {
    await using client = new Client(endpoint, { username: 'root', password: never, dialTimeoutMs: 50 });
    const { ends } = client.watch();
    await vi.waitFor(
      () => expect(ends).toMatchObject([{ status: 'unavailable', neverSent: true }]),
      patience,
    );
    expect(ends[0]!.detail).toContain('authentication took longer than 50 ms');
  });

  it('since its function fails, is reported with the reason, and asked for again by the next call', async () => {
    let calls = 0;
    const password = (): string => {
      if (++calls === 1) throw new Error('the vault is sealed');
      return 'secret';
    };
    await using client = new Client(endpoint, { username: 'root', password });
    expect(await client.failure('get', get('k'))).toMatchObject({
      status: 'unavailable',
      neverSent: true,
      detail: expect.stringContaining('the vault is sealed') as string,
    });
    await client.call('get', get('k'));
  });
});
