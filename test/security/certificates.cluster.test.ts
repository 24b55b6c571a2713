import { copyFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthError, type Conclave, type ConnectOptions } from '../../src/index.js';
import { Certificates, type Identity } from '../rig/certificates.js';
import { patience } from '../rig/patience.js';
import { Proxy } from '../rig/proxy.js';
import { Secured } from './fixture.js';
import { uses } from './uses.js';

let certificates: Certificates;
let etcd: Secured;
/** Client certificates by common name. */
let identities: Readonly<Record<'carl' | 'unknown' | '', Identity>>;

beforeAll(async () => {
  certificates = await Certificates.create();
  const [carl, unknown, none] = await Promise.all(
    ['carl', 'unknown', ''].map((name) => certificates.issue(name)),
  );
  identities = { carl: carl!, unknown: unknown!, '': none! };
  etcd = await Secured.start({ certificates, clientCertificates: true });
  await etcd.cluster.etcdctl('user', 'add', 'carl', '--no-password');
  await etcd.cluster.etcdctl('role', 'add', 'carl');
  await etcd.grant('carl', 'Readwrite', 'carl/');
  await etcd.cluster.etcdctl('user', 'grant-role', 'carl', 'carl');
  await etcd.user('paul', { readwrite: ['paul/'] });
});

afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
  await certificates[Symbol.asyncDispose]();
});

function showing(name: keyof typeof identities, options: ConnectOptions = {}): Promise<Conclave> {
  const { cert, key } = identities[name];
  return etcd.connect({ tls: { ca: certificates.authority.cert, cert, key }, ...options });
}

describe('with --client-cert-auth and authentication', () => {
  it.each(Object.entries(uses))('a certificate is a login without a password: %s', async (_, use) => {
    await use(await showing('carl', { namespace: 'carl' }));
  });

  it('the user of the common name may do what its roles say, and no more', async () => {
    await expect(showing('carl', { namespace: 'paul' })).rejects.toThrow(AuthError);
  });

  it('a user with a password goes before the common name', async () => {
    const login = { username: 'paul', password: 'paul' };
    await (await showing('carl', { namespace: 'paul', ...login })).mutex('m').run(() => {});
    await expect(showing('carl', { namespace: 'carl', ...login })).rejects.toThrow(AuthError);
    await (await showing('', { namespace: 'paul', ...login })).mutex('m').run(() => {});
  });

  it('a password of a user that has none is an AuthError that says what to do, and is not tried for long', async () => {
    const login = { username: 'carl', password: 'x', dialTimeoutMs: 60_000 };
    await expect(showing('carl', { namespace: 'carl', ...login })).rejects.toThrow(
      /this user has no password: connect with its certificate alone/,
    );
  });

  it.each(['unknown', ''] as const)(
    'a common name that is no user (%j) is refused everything',
    async (name) => {
      await expect(showing(name)).rejects.toThrow(
        `get "conclave/session/0000000000000000": permission denied`,
      );
    },
  );

  it('certificates of both sides are exchanged while a waiter waits, and it is granted by the new ones', async () => {
    await using proxy = await Proxy.start(etcd.cluster.endpoints[0]!);
    const { authority, server } = certificates;
    const current = { ...identities.carl };
    let asked = 0;
    const tls = () => {
      asked++;
      return { ca: authority.cert, cert: current.cert, key: current.key };
    };
    const rotating = await etcd.connect({ endpoints: [proxy.endpoint], namespace: 'carl', tls });
    const holder = await showing('carl', { namespace: 'carl' });
    const hold = await holder.mutex('rotation').acquire();
    const waiting = rotating.mutex('rotation').acquire();
    await expect
      .poll(async () => (await holder.mutex('rotation').inspect()).waiters.length, patience)
      .toBe(1);

    await using next = await Certificates.create(authority);
    copyFileSync(next.server.certFile, server.certFile); // etcd reads them at each handshake
    copyFileSync(next.server.keyFile, server.keyFile);
    Object.assign(current, await next.issue('carl'));
    const before = asked;
    proxy.cut();

    await expect.poll(() => asked, patience).toBeGreaterThan(before);
    await hold.release();
    await (await waiting).release();
  });
});
