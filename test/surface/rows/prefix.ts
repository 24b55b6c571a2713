import { expect, it } from 'vitest';

import { toBytes } from '../../../src/base/bytes.js';
import { prefix } from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function prefixRow(surface: Surface): void {
  it('/test/ finds /test/key1 and /test/key2, not /testspam', async () => {
    const { store } = surface;
    await store.put('/test/key1', 'Hello etcd!');
    await store.put('/test/key2', 'Hello World!');
    await store.put('/testspam', 'spam');
    const found = async (start: string): Promise<string[]> => surface.pairs(await store.get(prefix(start)));
    expect(await found('/test/')).toEqual(['/test/key1=Hello etcd!', '/test/key2=Hello World!']);
    expect(await found('/test')).toEqual([
      '/test/key1=Hello etcd!',
      '/test/key2=Hello World!',
      '/testspam=spam',
    ]);
  });

  it('ends before the prefix with its last byte plus one', () => {
    expect(prefix('/test/')).toMatchObject({ key: toBytes('/test/'), end: toBytes('/test0') });
  });

  it('carries over a last byte of 0xff', async () => {
    const start = Buffer.concat([Buffer.from(surface.at('')), Buffer.from([1, 0xff])]);
    const keyed = (...bytes: number[]): Buffer =>
      Buffer.concat([Buffer.from(surface.at('')), Buffer.from(bytes)]);
    for (const key of [keyed(1, 0xfe), keyed(1, 0xff), keyed(1, 0xff, 7), keyed(2)])
      await surface.store.put(key, '');
    const { kvs } = await surface.store.get(prefix(start));
    expect(kvs.map(({ key }) => [...key])).toEqual([[...keyed(1, 0xff)], [...keyed(1, 0xff, 7)]]);
  });

  it('of 0xff alone reaches to the last key', async () => {
    const keys = [
      [0xfe, 0xff],
      [0xff, 0xff],
      [0xff, 0xff, 0xff, 1],
    ];
    for (const key of keys) await surface.store.put(new Uint8Array(key), '');
    const { kvs } = await surface.store.get(prefix(new Uint8Array([0xff, 0xff])));
    expect(kvs.map(({ key }) => [...key])).toEqual(keys.slice(1));
    await surface.store.remove(prefix(new Uint8Array([0xfe])));
    expect((await surface.store.remove(prefix(new Uint8Array([0xff])))).deleted).toBe(2);
  });
}
