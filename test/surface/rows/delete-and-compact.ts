import { beforeEach, expect, it } from 'vitest';

import { CompactedError, prefix, range, toText } from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function deleteAndCompactRow(surface: Surface): void {
  let revisions: bigint[];
  beforeEach(async () => {
    revisions = await surface.putAll({ a: '1', b: '2', b1: '3', c: '4' });
  });

  it('deletes a single key', async () => {
    expect((await surface.store.remove(surface.at('b'))).deleted).toBe(1);
    expect((await surface.store.remove(surface.at('b'))).deleted).toBe(0);
    expect(surface.keys(await surface.store.get(surface.all))).toEqual(['a', 'b1', 'c']);
  });

  it('deletes a range, in one revision', async () => {
    const { deleted, header } = await surface.store.remove(range(surface.at('a'), surface.at('c')));
    expect(deleted).toBe(3);
    expect(header.revision).toBe(revisions.at(-1)! + 1n);
    expect(surface.keys(await surface.store.get(surface.all))).toEqual(['c']);
  });

  it('deletes a prefix', async () => {
    expect((await surface.store.remove(prefix(surface.at('b')))).deleted).toBe(2);
    expect(surface.keys(await surface.store.get(surface.all))).toEqual(['a', 'c']);
  });

  it('returns the previous values when asked for', async () => {
    expect((await surface.store.remove(surface.at('a'))).prevKvs).toEqual([]);
    const { prevKvs } = await surface.store.remove(surface.all, { prevKv: true });
    expect(prevKvs.map(({ key, value }) => `${surface.bare(key)}=${toText(value)}`)).toEqual([
      'b=2',
      'b1=3',
      'c=4',
    ]);
  });

  it.each([false, true])('compacts (physical: %s): older reads fail by name', async (physical) => {
    const last = revisions.at(-1)!;
    await surface.store.compact(last, { physical });
    await expect(surface.store.get(surface.all, { revision: last - 1n })).rejects.toBeInstanceOf(
      CompactedError,
    );
    expect((await surface.store.get(surface.all, { revision: last })).count).toBe(4);
  });

  it('compacts: older watches fail by name, and say from where they can begin', async () => {
    const last = revisions.at(-1)!;
    await surface.store.compact(last);
    const watch = surface.store.watch(surface.all, { startRevision: last - 1n });
    const end = (async () => {
      for await (const notice of watch) if (notice.kind === 'events') return 'events';
      return 'over';
    })();
    await expect(end).rejects.toMatchObject({ name: 'CompactedError', compactRevision: last });
  });

  it('refuses to compact what is compacted', async () => {
    await surface.store.compact(revisions[0]!);
    await expect(surface.store.compact(revisions[0]!)).rejects.toBeInstanceOf(CompactedError);
  });
}
