import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  AlreadyExistsError,
  AuthError,
  InvalidRequestError,
  NotFoundError,
  UnsupportedError,
} from '../../src/base/errors.js';
import { fromKey, prefix, range } from '../../src/store/operations.js';
import type { Store } from '../../src/store/store.js';
import { Cluster } from '../rig/cluster.js';
import { storeOn } from './admin-fixture.js';

let cluster: Cluster;
let store: Store & AsyncDisposable;
beforeAll(async () => {
  cluster = await Cluster.start();
  store = storeOn(cluster.endpoints);
}, 30_000);
afterAll(async () => {
  await store.close();
  await cluster.dispose();
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('users', () => {
  it('are added, listed, changed and removed, each answer with its header', async () => {
    const { users } = store.auth;
    for (const done of [
      await users.add('alice', { password: 'one' }),
      await users.add('certified', { noPassword: true }),
      await users.changePassword('alice', 'two'),
    ])
      expect(done.header.clusterId).toBeGreaterThan(0n);
    const listed = await users.list();
    expect(listed.users).toEqual(['alice', 'certified']);
    expect(listed.header.clusterId).toBeGreaterThan(0n);
    expect((await users.get('alice')).roles).toEqual([]);
    await users.remove('alice');
    await users.remove('certified');
    expect((await users.list()).users).toEqual([]);
  });

  it('that are there, or are not, are errors of their own', async () => {
    const { users } = store.auth;
    await users.add('twice', { password: 'p' });
    await expect(users.add('twice', { password: 'p' })).rejects.toThrow(AlreadyExistsError);
    await users.remove('twice');
    for (const refused of [
      () => users.remove('nobody'),
      () => users.get('nobody'),
      () => users.changePassword('nobody', 'p'),
      () => users.grantRole('nobody', 'r'),
      () => users.revokeRole('nobody', 'r'),
    ])
      await expect(refused()).rejects.toThrow(NotFoundError);
  });
});

describe('roles', () => {
  it('tell what they allow, in every kind of access and range', async () => {
    const { roles } = store.auth;
    await roles.add('r');
    await roles.grantPermission('r', 'key', 'read');
    await roles.grantPermission('r', prefix('p/'), 'write');
    await roles.grantPermission('r', range('x', 'y'), 'readwrite');
    await roles.grantPermission('r', fromKey('z'), 'read');
    const { permissions, header } = await roles.get('r');
    expect(permissions).toEqual([
      { access: 'read', range: { key: bytes('key') } },
      { access: 'write', range: { key: bytes('p/'), end: bytes('p0') } },
      { access: 'readwrite', range: { key: bytes('x'), end: bytes('y') } },
      { access: 'read', range: { key: bytes('z'), end: new Uint8Array([0]) } },
    ]);
    expect(header.clusterId).toBeGreaterThan(0n);
    // In etcd's own words.
    const told = await cluster.etcdctl('role', 'get', 'r');
    expect(told.replaceAll(/\s+/g, ' ')).toContain('KV Write: [p/, p0) (prefix p/)');

    await roles.grantPermission('r', 'key', 'readwrite'); // in the place of the other
    await roles.revokePermission('r', prefix('p/'));
    expect((await roles.get('r')).permissions.map(({ access }) => access)).toEqual([
      'readwrite',
      'readwrite',
      'read',
    ]);
    expect((await roles.list()).roles).toEqual(['r']);
    await roles.remove('r');
    expect((await roles.list()).roles).toEqual([]);
  });

  it('that are there, or are not, are errors of their own', async () => {
    const { roles, users } = store.auth;
    await roles.add('twice');
    await users.add('someone', { password: 'p' });
    await expect(roles.add('twice')).rejects.toThrow(AlreadyExistsError);
    for (const refused of [
      () => roles.remove('nobody'),
      () => roles.get('nobody'),
      () => roles.grantPermission('nobody', 'k', 'read'),
      () => roles.revokePermission('nobody', 'k'),
      () => roles.revokePermission('twice', 'k'),
      () => users.grantRole('someone', 'nobody'),
      () => users.revokeRole('someone', 'twice'),
    ])
      await expect(refused()).rejects.toThrow(NotFoundError);
    await roles.remove('twice');
    await users.remove('someone');
  });
});

describe('authentication', () => {
  it('cannot be enabled without a root user, who would be locked out with everybody else', async () => {
    await expect(store.auth.enable()).rejects.toThrow(InvalidRequestError);
  });

  it('once enabled lets users do what their roles allow, and can be disabled by root', async () => {
    const { users, roles } = store.auth;
    await users.add('root', { password: 'secret' });
    await users.grantRole('root', 'root').catch(async () => {
      await roles.add('root'); // newer servers have that role from the start
      await users.grantRole('root', 'root');
    });
    await users.add('alice', { password: 'pw' });
    for (const [role, access] of [
      ['reader', 'read'],
      ['writer', 'write'],
    ] as const) {
      await roles.add(role);
      await roles.grantPermission(role, prefix(`${role}/`), access);
      await users.grantRole('alice', role);
    }
    const enabled = await store.auth.enable();
    expect(enabled.header.clusterId).toBeGreaterThan(0n);

    await using root = storeOn(cluster.endpoints, { username: 'root', password: 'secret' });
    await using alice = storeOn(cluster.endpoints, { username: 'alice', password: 'pw' });
    await alice.get(prefix('reader/'));
    await expect(alice.put('reader/k', 'v')).rejects.toThrow(AuthError);
    await alice.put('writer/k', 'v');
    await expect(alice.get('writer/k')).rejects.toThrow(AuthError);
    await expect(store.get('reader/k')).rejects.toThrow(AuthError);

    // Only root administers; all may ask about themselves.
    await expect(alice.auth.users.list()).rejects.toThrow(AuthError);
    await expect(alice.auth.disable()).rejects.toThrow(AuthError);
    expect((await alice.auth.users.get('alice')).roles).toEqual(['reader', 'writer']);
    expect((await alice.auth.roles.get('reader')).permissions).toHaveLength(1);
    await expect(root.auth.users.remove('root')).rejects.toThrow(InvalidRequestError);

    await root.auth.users.revokeRole('alice', 'reader');
    await expect(alice.get(prefix('reader/'))).rejects.toThrow(AuthError);
    await root.auth.users.changePassword('alice', 'changed');
    await using late = storeOn(cluster.endpoints, { username: 'alice', password: 'changed' });
    await late.put('writer/k', 'v');

    await root.auth.disable();
    await store.get('reader/k');
  }, 30_000);

  it('has a status, on servers that tell it', async () => {
    const { version } = await store.maintenance.status();
    if (version.startsWith('3.4.')) {
      await expect(store.auth.status()).rejects.toThrow(UnsupportedError);
    } else {
      expect(await store.auth.status()).toMatchObject({ enabled: false });
    }
  });
});
