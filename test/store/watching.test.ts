import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClosedError, CompactedError } from '../../src/base/errors.js';
import { Store } from '../../src/store/store.js';
import type { WatchNotice } from '../../src/store/watching.js';
import { ManualRuntime, settled } from './manual-runtime.js';
import { header, ScriptedTransport, type WatchStream } from './scripted-transport.js';

let runtime: ManualRuntime;
let transport: ScriptedTransport;
let store: Store;

beforeEach(() => {
  runtime = new ManualRuntime();
  transport = new ScriptedTransport('a');
  store = new Store(transport, { runtime });
});

afterEach(async () => {
  await store.close();
  expect(runtime.pendingTimers, 'timers left').toBe(0);
});

type Watching = AsyncGenerator<WatchNotice, void, undefined>;

const stream = (): WatchStream => transport.watchStreams.at(-1)!;

/** Starts it, and takes its first notice. */
async function started(watching: Watching): Promise<Watching> {
  const first = watching.next();
  stream().created('k', 10n);
  expect((await first).value).toEqual({ kind: 'created', revision: 10n });
  return watching;
}

async function take(watching: Watching, count: number): Promise<(string | bigint)[]> {
  const taken: (string | bigint)[] = [];
  while (taken.length < count) {
    const { value } = await watching.next();
    if (value) taken.push(value.kind === 'events' ? value.revision : value.kind);
  }
  return taken;
}

const revisions = (from: number, to: number): bigint[] =>
  Array.from({ length: to - from + 1 }, (_, i) => BigInt(from + i));

describe('a watch as an iterable', () => {
  it('sends nothing before the first next', async () => {
    const watching = store.watch('k');
    await settled();
    expect(transport.watchStreams).toEqual([]);
    await started(watching);
    await watching.return();
  });

  it('yields changes as they come, and cancels at break', async () => {
    const watching = await started(
      store.watch('k', { startRevision: 3n, prevKv: true, exclude: ['delete'] }),
    );
    expect(stream().creates[0]).toMatchObject({ startRevision: 3n, prevKv: true, exclude: ['delete'] });
    stream().puts('k', 4n, 5n);
    expect(await take(watching, 2)).toEqual([4n, 5n]);
    await watching.return();
    expect(stream().isClosed).toBe(true);
  });

  it('says it was created once, however many streams it takes', async () => {
    const watching = await started(store.watch('k'));
    stream().end();
    await runtime.advance(0);
    stream().created('k', 12n);
    stream().puts('k', 13n);
    expect(await take(watching, 1)).toEqual([13n]);
    await watching.return();
  });

  it('yields signs of life only when asked to', async () => {
    const quiet = await started(store.watch('k'));
    stream().say({ header: header(11n) });
    stream().puts('k', 12n);
    expect(await take(quiet, 1)).toEqual([12n]);
    await quiet.return();

    const lively = await started(store.watch('k', { progress: true }));
    stream().say({ header: header(11n) });
    expect((await lively.next()).value).toEqual({ kind: 'progress', revision: 11n });
    await lively.return();
  });

  it('throws why it ended, after what came before', async () => {
    const watching = await started(store.watch('k'));
    stream().puts('k', 11n);
    stream().say({ watchId: stream().idOf('k'), canceled: true, compactRevision: 20n });
    expect(await take(watching, 1)).toEqual([11n]);
    const ended = watching.next();
    await expect(ended).rejects.toBeInstanceOf(CompactedError);
    await expect(ended).rejects.toMatchObject({ compactRevision: 20n });
    expect(await watching.next()).toEqual({ done: true, value: undefined });
  });

  it('throws the reason of its signal at once, though more could be read', async () => {
    const abort = new AbortController();
    const watching = await started(store.watch('k', { signal: abort.signal }));
    stream().puts('k', 11n, 12n, 13n);
    expect(await take(watching, 1)).toEqual([11n]);
    abort.abort('enough');
    await expect(watching.next()).rejects.toBe('enough');
    expect(stream().isClosed).toBe(true);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it('sends nothing if its signal has aborted before', async () => {
    await expect(store.watch('k', { signal: AbortSignal.abort('no') }).next()).rejects.toBe('no');
    expect(transport.watchStreams).toEqual([]);
  });

  it('ends with ClosedError when the store closes, and does not start after that', async () => {
    const watching = await started(store.watch('k'));
    const next = watching.next();
    await store.close();
    await expect(next).rejects.toBeInstanceOf(ClosedError);
    await expect(store.watch('k').next()).rejects.toBeInstanceOf(ClosedError);
  });

  it.each([-1n, 5, '5', null])('refuses the start revision %o', async (bad) => {
    const startRevision = bad as bigint;
    await expect(store.watch('k', { startRevision }).next()).rejects.toThrow(/startRevision/);
    const listener = { created: () => {}, events: () => {}, ended: () => {} };
    expect(() => store.listen('k', { startRevision }, listener)).toThrow(/startRevision/);
    expect(transport.watchStreams).toEqual([]);
  });
});

describe('a reader that is slow', () => {
  it('makes the watch stop at 1,000 notices, and go on without loss or repetition once it has caught up', async () => {
    const watching = await started(store.watch('k'));
    stream().puts('k', ...revisions(11, 1_500));
    expect(stream().isClosed, 'nothing is read any more').toBe(true);
    expect(runtime.pendingTimers).toBe(0);
    stream().puts('k', ...revisions(1_501, 1_600));
    expect(await take(watching, 1_000)).toEqual(revisions(11, 1_010));
    expect(transport.watchStreams).toHaveLength(1);
    const next = watching.next();
    await settled();
    expect(stream().creates[0]).toMatchObject({ startRevision: 1_011n });
    stream().created('k', 1_600n);
    stream().puts('k', ...revisions(1_011, 1_600));
    expect((await next).value).toMatchObject({ kind: 'events', revision: 1_011n });
    expect(await take(watching, 589)).toEqual(revisions(1_012, 1_600));
    await watching.return();
  });

  it('is not sent for more before it has read all that waits', async () => {
    const watching = await started(store.watch('k'));
    stream().puts('k', 11n);
    expect(await take(watching, 1)).toEqual([11n]);
    stream().puts('k', 12n, 13n);
    expect(await take(watching, 1)).toEqual([12n]);
    stream().puts('k', ...revisions(14, 1_100));
    expect(stream().isClosed).toBe(true);
    expect(await take(watching, 900)).toEqual(revisions(13, 912));
    expect(transport.watchStreams, 'still reading').toHaveLength(1);
    await watching.return();
  });

  it('does not pile up signs of life either', async () => {
    const watching = await started(store.watch('k', { progress: true }));
    for (let i = 0; i < 5_000; i++) stream().say({ header: header(11n) });
    expect(stream().isClosed).toBe(true);
    expect(await take(watching, 1_000)).toEqual(new Array(1_000).fill('progress'));
    const next = watching.next();
    await settled();
    expect(stream().creates[0]).toMatchObject({ startRevision: 11n });
    stream().created('k', 20n);
    stream().puts('k', 12n);
    expect((await next).value).toMatchObject({ kind: 'events', revision: 12n });
    await watching.return();
  });

  it('learns of a close that came while the watch had stopped', async () => {
    const watching = await started(store.watch('k'));
    stream().puts('k', ...revisions(11, 1_100));
    await store.close();
    expect(await take(watching, 1_000)).toHaveLength(1_000);
    await expect(watching.next()).rejects.toBeInstanceOf(ClosedError);
  });
});
