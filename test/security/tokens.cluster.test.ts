import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { AuthError, Conclave, toText } from '../../src/index.js';
import { RecordingTransport } from '../rig/recording-transport.js';
import { Secured } from './fixture.js';

const tokenTtlMs = 5_000;

/** The server forgets a token (or, of signed ones, refuses it) after its time; only time shows it. */
const tokensExpire = (): Promise<void> => delay(tokenTtlMs + 2_000);

type Kind = 'simple tokens' | 'signed tokens';

const kinds: readonly Kind[] = ['simple tokens', 'signed tokens'];

let folder: string;
let clusters: Readonly<Record<Kind, Secured>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'conclave-jwt-'));
  const [key, publicKey] = [join(folder, 'key.pem'), join(folder, 'pub.pem')];
  execFileSync('openssl', ['genrsa', '-out', key, '2048'], { stdio: 'ignore' });
  execFileSync('openssl', ['rsa', '-in', key, '-pubout', '-out', publicKey], { stdio: 'ignore' });
  const seconds = tokenTtlMs / 1_000;
  const signed = `jwt,pub-key=${publicKey},priv-key=${key},sign-method=RS256,ttl=${seconds}s`;
  const [first, second] = await Promise.all([
    Secured.start({ flags: [`--auth-token-ttl=${seconds}`] }),
    Secured.start({ flags: [`--auth-token=${signed}`] }),
  ]);
  clusters = { 'simple tokens': first, 'signed tokens': second };
});

afterAll(async () => {
  await Promise.all(kinds.map((kind) => clusters[kind][Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true, force: true });
});

/** A user of its own, in a namespace of its own, that counts logins and requests. */
async function client(etcd: Secured, user: string) {
  await etcd.user(user, { readwrite: [`${user}/`] });
  return another(etcd, user);
}

function another(etcd: Secured, user: string) {
  const seen = { logins: 0 };
  const password = (): string => {
    seen.logins++;
    return user;
  };
  const runtime = systemRuntime;
  const options = { endpoints: etcd.cluster.endpoints, username: user, password };
  const transport = new RecordingTransport(new EtcdTransport({ ...options, runtime, dialTimeoutMs: 5_000 }));
  const conclave = etcd.own(Conclave.over(transport, { runtime, namespace: user }));
  return { conclave, transport, seen };
}

it.concurrent.each(kinds)(
  'with %s of 5 s a session and a waiter outlive many of them, and the waiter is told by its watch',
  async (kind) => {
    const etcd = clusters[kind];
    const holding = await client(etcd, 'long');
    const waiting = another(etcd, 'long');
    const hold = await holding.conclave.mutex('m').acquire();
    const lost = new Promise((_resolve, reject) =>
      hold.signal.addEventListener('abort', () => reject(hold.signal.reason as Error)),
    );
    const acquired = waiting.conclave.mutex('m').acquire();
    await Promise.race([delay(4 * tokenTtlMs + 1_000), lost]);
    expect(hold.isHeld()).toBe(true);
    expect(holding.transport.renewals).toBeGreaterThan(3);
    const created = waiting.transport.watchCommands.filter((kind) => kind === 'create').length;
    const calls = waiting.transport.calls.length;
    void lost.catch(() => {});
    await hold.release();
    const next = await acquired;
    expect(next.isHeld()).toBe(true);
    expect(waiting.transport.calls.slice(calls)).toEqual([]);
    expect(waiting.transport.watchCommands.filter((kind) => kind === 'create')).toHaveLength(created);
    await next.commit([]);
    await next.release();
  },
  60_000,
);

it.concurrent.each(kinds)(
  'with %s of 5 s a client that was idle for longer goes on without an error',
  async (kind) => {
    const etcd = clusters[kind];
    const { conclave, seen } = await client(etcd, 'idle');
    await conclave.store.put('idle/k', '1');
    await tokensExpire();
    const { kvs } = await conclave.store.get('idle/k');
    expect(toText(kvs[0]!.value)).toBe('1');
    expect(seen.logins).toBeGreaterThan(1);
    await conclave.mutex('m').run(() => {});
  },
  30_000,
);

it.concurrent.each(kinds)(
  'with %s of 5 s a watch on a stream that is older is created, and those beside it miss nothing',
  async (kind) => {
    const etcd = clusters[kind];
    const { conclave, transport } = await client(etcd, 'watcher');
    const early = conclave.store.watch('watcher/early')[Symbol.asyncIterator]();
    expect((await early.next()).value).toMatchObject({ kind: 'created' });
    await tokensExpire();
    const late = conclave.store.watch('watcher/late')[Symbol.asyncIterator]();
    expect((await late.next()).value).toMatchObject({ kind: 'created' });
    for (const name of ['early', 'late']) await conclave.store.put(`watcher/${name}`, '');
    for (const watch of [early, late]) {
      expect((await watch.next()).value).toMatchObject({ kind: 'events' });
      await watch.return();
    }
    // The late one was refused at first: it needed a stream with a token of its own.
    expect(transport.watchCommands.filter((kind) => kind === 'create').length).toBeGreaterThan(2);
  },
  30_000,
);

it.concurrent.each(kinds)(
  'with %s of 5 s nobody notices that other users and roles are changed all the time',
  async (kind) => {
    const etcd = clusters[kind];
    const { conclave } = await client(etcd, 'busy');
    const use = async (): Promise<void> => {
      const watch = conclave.store.watch('busy/k')[Symbol.asyncIterator]();
      expect((await watch.next()).value).toMatchObject({ kind: 'created' });
      const mutex = conclave.mutex('m');
      const hold = await mutex.acquire();
      const [next] = await Promise.all([mutex.acquire(), hold.release()]);
      await next.release();
      await conclave.store.put('busy/k', '');
      expect((await watch.next()).value).toMatchObject({ kind: 'events' });
      await watch.return();
    };
    for (let round = 0; round < 20; round++) {
      const role = `role${round}`;
      const changes = [0, 1, 2, 3].map((n) => () => etcd.grant(role, 'Read', `place${n}/`));
      await etcd.admin.roleAdd({ name: role });
      // One after the other, among the requests of those who use it.
      await Promise.all([use(), changes.reduce((before, change) => before.then(change), Promise.resolve())]);
    }
  },
  60_000,
);

it.concurrent.each(kinds)(
  'with %s of 5 s a changed password is asked for when it is needed; the old one is an AuthError',
  async (kind) => {
    const etcd = clusters[kind];
    await etcd.user('rotated', { readwrite: ['rotated/'] });
    let password = 'rotated';
    const rotating = await etcd.as('rotated', { password: () => password });
    const stubborn = await etcd.as('rotated', { password });
    const hold = await rotating.mutex('m').acquire();
    const waiting = rotating.mutex('m').acquire();
    password = 'another one';
    await etcd.admin.userChangePassword({ name: 'rotated', password });
    await rotating.store.put('rotated/k', '');
    await expect(stubborn.store.get('rotated/k')).rejects.toThrow(
      new AuthError('get "rotated/k": wrong user name or password'),
    );
    await hold.release();
    await (await waiting).release();
  },
  30_000,
);
