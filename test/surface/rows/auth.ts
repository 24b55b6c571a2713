import { expect, it } from 'vitest';

import { AuthError, connect, prefix, UnsupportedError } from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function authRow(surface: Surface, isEtcd: boolean): void {
  if (!isEtcd) {
    it('is not supported by the embedded engine, which says so', async () => {
      const { auth } = surface.store;
      for (const call of [() => auth.enable(), () => auth.users.list(), () => auth.roles.list()])
        await expect(call()).rejects.toBeInstanceOf(UnsupportedError);
    });
    return;
  }

  it('has users, roles and permissions on prefixes', async () => {
    const { users, roles } = surface.store.auth;
    await users.add('bob', { password: 'pw' });
    await roles.add('reader');
    await roles.grantPermission('reader', prefix('/allowed/'), 'read');
    await users.grantRole('bob', 'reader');
    expect((await users.get('bob')).roles).toEqual(['reader']);
    expect((await roles.get('reader')).permissions).toMatchObject([
      { access: 'read', range: { key: prefix('/allowed/').key, end: prefix('/allowed/').end } },
    ]);
    await roles.revokePermission('reader', prefix('/allowed/'));
    await roles.remove('reader');
    expect((await users.get('bob')).roles).toEqual([]);
    await users.remove('bob');
    expect((await users.list()).users).not.toContain('bob');
  });

  it('once enabled lets a client with a password do what its role says, until it is disabled', async () => {
    const { endpoints } = surface.backend;
    const { auth } = surface.store;
    await auth.users.add('root', { password: 'secret' });
    await auth.roles.add('root');
    await auth.users.grantRole('root', 'root');
    await auth.users.add('alice', { password: 'pw' });
    await auth.roles.add('writer');
    await auth.roles.grantPermission('writer', prefix('/allowed/'), 'readwrite');
    await auth.roles.grantPermission('writer', prefix('conclave/'), 'readwrite');
    await auth.users.grantRole('alice', 'writer');
    await auth.enable();
    await using root = await connect({ endpoints, username: 'root', password: 'secret' });
    try {
      await expect(surface.store.put('/allowed/k', 'v')).rejects.toBeInstanceOf(AuthError);
      await expect(connect({ endpoints, username: 'alice', password: 'no' })).rejects.toBeInstanceOf(
        AuthError,
      );
      await using alice = await connect({ endpoints, username: 'alice', password: 'pw' });
      await alice.store.put('/allowed/k', 'v');
      await expect(alice.store.put('/forbidden/k', 'v')).rejects.toBeInstanceOf(AuthError);
      await expect(alice.store.watch('/forbidden/k').next()).rejects.toBeInstanceOf(AuthError);
      // Her token is no good any more: every change of a user makes those from before too old.
      await root.store.auth.users.add('carol', { password: 'pw' });
      await alice.store.put('/allowed/k', 'w');
    } finally {
      await root.store.auth.disable();
    }
    await surface.store.put('/allowed/k', 'x');
  });
}
