import { expect, it } from 'vitest';

import { ClosedError, NotFoundError } from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function leaseRow(surface: Surface): void {
  const { at, bare } = { at: surface.at.bind(surface), bare: surface.bare.bind(surface) };

  it('is granted for 10 s, and a key is attached to it', async () => {
    const { store } = surface;
    const { id, ttlSeconds, header } = await store.lease.grant({ ttlSeconds: 10 });
    expect({ ttlSeconds, header }).toMatchObject({
      ttlSeconds: 10,
      header: await surface.backend.identity(),
    });
    await store.put(at('vanish'), 'vanish in 10s', { lease: id });
    expect((await store.get(at('vanish'))).kvs).toMatchObject([{ lease: id }]);
    await store.lease.revoke(id);
  });

  it('takes its key with it when it expires', async () => {
    const { store } = surface;
    const { id } = await store.lease.grant({ ttlSeconds: 2 });
    const { header } = await store.put(at('vanish'), 'vanish in 2s', { lease: id });
    for await (const notice of store.watch(at('vanish'), { startRevision: header.revision + 1n })) {
      if (notice.kind !== 'events') continue;
      expect(notice.events.map(({ type }) => type)).toEqual(['delete']);
      break;
    }
    expect((await store.get(at('vanish'))).count).toBe(0);
    expect((await store.lease.timeToLive(id)).ttlSeconds).toBe(-1);
  });

  it('a put with a dead lease is an error that says so', async () => {
    const { store } = surface;
    const { id } = await store.lease.grant({ ttlSeconds: 10 });
    await store.lease.revoke(id);
    const late = store.put(at('vanish'), 'vanish in 10s', { lease: id });
    await expect(late).rejects.toBeInstanceOf(NotFoundError);
    await expect(late).rejects.toThrow(/the lease does not exist/);
    expect((await store.get(at('vanish'))).count).toBe(0);
  });

  it('deletes its keys in one revision when it is revoked', async () => {
    const { store } = surface;
    const { id } = await store.lease.grant({ ttlSeconds: 10 });
    for (const key of ['a', 'b', 'c']) await store.put(at(key), '', { lease: id });
    const before = await store.put(at('stays'), '');
    const { header } = await store.lease.revoke(id);
    expect(header.revision).toBe(before.header.revision + 1n);
    expect(surface.keys(await store.get(surface.all))).toEqual(['stays']);
    await expect(store.lease.revoke(id)).rejects.toBeInstanceOf(NotFoundError);
  });

  it('tells its time to live, and its keys on request', async () => {
    const { store } = surface;
    const { id } = await store.lease.grant({ ttlSeconds: 10 });
    for (const key of ['a', 'b']) await store.put(at(key), '', { lease: id });
    const { keys, ...status } = await store.lease.timeToLive(id, { keys: true });
    expect(status).toMatchObject({ id, grantedTtlSeconds: 10 });
    expect([8, 9, 10]).toContain(status.ttlSeconds);
    expect(keys.map(bare).sort()).toEqual(['a', 'b']);
    expect((await store.lease.timeToLive(id)).keys).toEqual([]);
    await store.lease.revoke(id);
  });

  it('is listed as long as it lives', async () => {
    const { store } = surface;
    const granted = await Promise.all([1, 2].map(() => store.lease.grant({ ttlSeconds: 10 })));
    const ids = granted.map(({ id }) => id);
    expect((await store.lease.list()).leases).toEqual(expect.arrayContaining(ids));
    for (const id of ids) await store.lease.revoke(id);
    for (const id of ids) expect((await store.lease.list()).leases).not.toContain(id);
  });

  it('is kept alive once', async () => {
    const { store } = surface;
    const { id } = await store.lease.grant({ ttlSeconds: 10 });
    expect(await store.lease.keepAliveOnce(id)).toMatchObject({ ttlSeconds: 10 });
    await store.lease.revoke(id);
    const late = store.lease.keepAliveOnce(id);
    await expect(late).rejects.toBeInstanceOf(NotFoundError);
    await expect(late).rejects.toThrow(/lease/);
  });

  it('is kept alive for ever, past its time, until it is gone: the iteration throws that', async () => {
    const { store } = surface;
    const { id } = await store.lease.grant({ ttlSeconds: 2 });
    await store.put(at('kept'), '', { lease: id });
    let renewals = 0;
    const keeping = (async () => {
      for await (const { ttlSeconds } of store.lease.keepAlive(id, { ttlSeconds: 2 })) {
        expect(ttlSeconds).toBe(2);
        // Every third of the TTL or later: the fifth is past the time of one that is not renewed, and the next scan.
        if (++renewals === 5) await store.lease.revoke(id);
      }
    })();
    await expect(keeping).rejects.toBeInstanceOf(NotFoundError);
    expect(renewals).toBe(5);
    expect((await store.get(at('kept'))).count).toBe(0);
  });

  it('is kept alive until a signal, whose reason the iteration throws', async () => {
    const { id } = await surface.store.lease.grant({ ttlSeconds: 10 });
    const reason = new Error('enough');
    const abort = new AbortController();
    const keeping = (async () => {
      for await (const { ttlSeconds } of surface.store.lease.keepAlive(id, { signal: abort.signal }))
        if (ttlSeconds === 10) abort.abort(reason);
    })();
    await expect(keeping).rejects.toBe(reason);
    await surface.store.lease.revoke(id);
  });

  it('is not kept alive by a client that is closed: the iteration throws that', async () => {
    const client = await surface.connect();
    const { id } = await client.store.lease.grant({ ttlSeconds: 10 });
    const keeping = (async () => {
      for await (const { ttlSeconds } of client.store.lease.keepAlive(id))
        if (ttlSeconds === 10) void client.close();
    })();
    await expect(keeping).rejects.toBeInstanceOf(ClosedError);
    await expect(client.store.lease.keepAliveOnce(id)).rejects.toBeInstanceOf(ClosedError);
    await surface.store.lease.revoke(id);
  });
}
