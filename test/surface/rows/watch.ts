import { describe, expect, it } from 'vitest';

import {
  CompactedError,
  type RangeLike,
  type StoreEvent,
  toText,
  type WatchNotice,
  type WatchOptions,
} from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function watchRow(surface: Surface, isEtcd: boolean): void {
  const at = surface.at.bind(surface);

  /** Notices of a watch up to this many events; `work` begins when the watch has. */
  const read = async (
    target: RangeLike,
    count: number,
    options: WatchOptions = {},
    work: () => Promise<unknown> = async () => {},
  ): Promise<WatchNotice[]> => {
    const notices: WatchNotice[] = [];
    let working: Promise<unknown> | undefined;
    for await (const notice of surface.store.watch(target, options)) {
      notices.push(notice);
      if (notice.kind === 'created') working = work();
      if (eventsOf(notices).length >= count) break;
    }
    await working;
    return notices;
  };
  const story = (notices: readonly WatchNotice[]): string[] =>
    eventsOf(notices).map(({ type, kv }) =>
      type === 'put' ? `${surface.bare(kv.key)}=${toText(kv.value)}` : `-${surface.bare(kv.key)}`,
    );

  it('says that it was created, with the revision of the header', async () => {
    const [last] = await surface.putAll({ a: '1' });
    const watch = surface.store.watch(at('a'));
    expect((await watch.next()).value).toEqual({ kind: 'created', revision: last });
    await watch.return();
  });

  it('shows the events of a key as they happen, with their revision', async () => {
    const [before] = await surface.putAll({ a: '0' });
    const notices = await read(at('a'), 3, {}, async () => {
      await surface.putAll({ a: '1', other: 'x' });
      await surface.putAll({ a: '2' });
      await surface.store.remove(at('a'));
    });
    expect(story(notices)).toEqual(['a=1', 'a=2', '-a']);
    const revisions = [1n, 3n, 4n].map((n) => before! + n);
    expect(notices.slice(1).map(({ revision }) => revision)).toEqual(revisions);
    expect(eventsOf(notices).map(({ kv }) => kv.modRevision)).toEqual(revisions);
    expect(eventsOf(notices)[1]).toMatchObject({ type: 'put', kv: { createRevision: before, version: 3n } });
  });

  it('shows the events of a prefix, those of one revision together', async () => {
    const notices = await read(surface.all, 3, {}, async () => {
      await surface.putAll({ a: '1', b: '2' });
      await surface.store.remove(surface.all);
    });
    expect(story(notices)).toEqual(['a=1', 'b=2', '-a', '-b']);
    expect(notices.map(({ kind }) => kind)).toEqual(['created', 'events', 'events', 'events']);
  });

  it('begins at a revision of the past', async () => {
    const [, second] = await surface.putAll({ a: '1', b: '2', c: '3' });
    expect(story(await read(surface.all, 2, { startRevision: second! }))).toEqual(['b=2', 'c=3']);
  });

  it('shows the pair before on request', async () => {
    await surface.putAll({ a: 'old' });
    const notices = await read(surface.all, 2, { prevKv: true }, async () => {
      await surface.putAll({ a: 'new' });
      await surface.store.remove(at('a'));
    });
    expect(eventsOf(notices).map(({ prevKv }) => toText(prevKv!.value))).toEqual(['old', 'new']);
  });

  it.each([
    [['put'], ['-a', '-b']],
    [['delete'], ['a=1', 'b=2']],
  ] as const)('leaves out every %s on request', async (exclude, left) => {
    const notices = await read(surface.all, 2, { exclude }, async () => {
      for (const [key, value] of Object.entries({ a: '1', b: '2' })) {
        await surface.putAll({ [key]: value });
        await surface.store.remove(at(key));
      }
    });
    expect(story(notices)).toEqual(left);
  });

  it('tells its progress on request', async () => {
    const [last] = await surface.putAll({ elsewhere: '' });
    for await (const notice of surface.store.watch(at('quiet'), { progress: true })) {
      if (notice.kind !== 'progress') continue;
      expect(notice.revision).toBe(last);
      break;
    }
  });

  describe('is canceled with the reason, which it throws:', () => {
    it('compacted, with the compact revision', async () => {
      const revisions = await surface.putAll({ a: '1', b: '2', c: '3' });
      await surface.store.compact(revisions[2]!);
      const watching = read(surface.all, 1, { startRevision: revisions[0]! });
      await expect(watching).rejects.toBeInstanceOf(CompactedError);
      await expect(watching).rejects.toMatchObject({ compactRevision: revisions[2] });
      expect(story(await read(surface.all, 1, { startRevision: revisions[2]! }))).toEqual(['c=3']);
    });

    it('the reason of its signal', async () => {
      const reason = new Error('enough');
      const abort = new AbortController();
      const watching = read(at('a'), 1, { signal: abort.signal }, async () => abort.abort(reason));
      await expect(watching).rejects.toBe(reason);
    });

    it('closed', async () => {
      const client = await surface.connect();
      const watch = client.store.watch(at('a'));
      await watch.next();
      const next = watch.next();
      await Promise.all([expect(next).rejects.toMatchObject({ code: 'CLOSED' }), client.close()]);
    });
  });

  if (!isEtcd) return;

  it('survives reconnects: each event once, in order', async () => {
    const { cluster } = surface.backend;
    const notices = await read(surface.all, 4, {}, async () => {
      await surface.putAll({ a: '1' });
      await cluster!.kill(0);
      await cluster!.restart(0);
      await cluster!.etcdctl('put', at('b'), '2'); // surely before the watch is back, or just then
      await cluster!.etcdctl('put', at('c'), '3');
      await cluster!.etcdctl('del', at('a'));
    });
    expect(story(notices)).toEqual(['a=1', 'b=2', 'c=3', '-a']);
    expect(notices.filter(({ kind }) => kind === 'created')).toHaveLength(1);
  });
}

function eventsOf(notices: readonly WatchNotice[]): StoreEvent[] {
  return notices.flatMap((notice) => (notice.kind === 'events' ? notice.events : []));
}
