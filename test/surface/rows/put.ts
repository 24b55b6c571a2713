import { expect, it } from 'vitest';

import { toText } from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function putRow(surface: Surface): void {
  it('answers with a header: cluster id, member id, revision, raft term', async () => {
    const first = await surface.store.put(surface.at('key1'), 'Hello etcd!');
    const second = await surface.store.put(surface.at('key2'), 'Hello World!');
    expect(first.header).toEqual({ ...(await surface.backend.identity()), revision: first.header.revision });
    expect(second.header).toEqual({ ...first.header, revision: first.header.revision + 1n });
    const read = await surface.store.get(surface.at('key2'));
    expect(read.header).toEqual(second.header);
  });

  it('returns the previous value only when asked for', async () => {
    await surface.store.put(surface.at('k'), 'old');
    expect((await surface.store.put(surface.at('k'), 'new')).prevKv).toBeUndefined();
    const { prevKv } = await surface.store.put(surface.at('k'), 'newer', { prevKv: true });
    expect(toText(prevKv!.value)).toBe('new');
    expect(prevKv!.version).toBe(2n);
    expect((await surface.store.put(surface.at('fresh'), '', { prevKv: true })).prevKv).toBeUndefined();
  });

  it('attaches to a lease, and keeps the value or the lease when told to', async () => {
    const { store } = surface;
    const { id } = await store.lease.grant({ ttlSeconds: 60 });
    await store.put(surface.at('k'), 'one', { lease: id });
    await store.put(surface.at('k'), 'two', { ignoreLease: true });
    expect((await store.get(surface.at('k'))).kvs).toMatchObject([{ lease: id }]);
    await store.put(surface.at('k'), '', { ignoreValue: true });
    const { kvs } = await store.get(surface.at('k'));
    expect(kvs.map(({ value, lease, version }) => [toText(value), lease, version])).toEqual([
      ['two', 0n, 3n],
    ]);
    await store.lease.revoke(id);
  });

  it('takes any bytes for key and value', async () => {
    const key = new Uint8Array([...Buffer.from(surface.at('')), 0, 0xff]);
    await surface.store.put(key, new Uint8Array([0xff, 0]));
    const { kvs } = await surface.store.get(key);
    expect(kvs.map((kv) => [[...kv.key], [...kv.value]])).toEqual([[[...key], [0xff, 0]]]);
  });
}
