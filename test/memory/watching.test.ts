import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/memory/engine.js';
import { fromKey, prefix, put, range, remove, toRange, txn } from '../../src/store/operations.js';
import { TestWatch, open, settled } from './support.js';

/** Revisions: 2 puts a, 3 puts b, 4 deletes a. */
function withHistory(): Engine {
  const { engine } = open();
  engine.execute('put', put('a', '1'));
  engine.execute('put', put('b', '2'));
  engine.execute('remove', remove('a'));
  return engine;
}

describe('events', () => {
  it('come in whole revisions, in order', async () => {
    const { engine } = open();
    const watch = new TestWatch(engine).create(prefix('a'));
    engine.execute('txn', txn({ then: [put('a2', ''), put('b', ''), put('a1', '')] }));
    engine.execute('remove', remove(prefix('')));
    await settled();
    expect(watch.events).toEqual([
      ['2 put a2=', '2 put a1='],
      ['3 delete a1', '3 delete a2'],
    ]);
  });

  it('never come inside the call that caused them', () => {
    const { engine } = open();
    const watch = new TestWatch(engine).create(toRange('a'));
    engine.execute('put', put('a', ''));
    expect(watch.inbox.messages).toEqual([]);
  });

  it('are only those of the range, by key, by bounds or to the last key', async () => {
    const { engine } = open();
    const watch = new TestWatch(engine)
      .create(toRange('b'), { watchId: 1n })
      .create(range('a', 'b'), { watchId: 2n })
      .create(fromKey('b'), { watchId: 3n });
    for (const key of ['a', 'b', 'c']) engine.execute('put', put(key, ''));
    await settled();
    const seen = watch.inbox.messages.filter(({ created }) => !created);
    expect(seen.map(({ watchId, header }) => [watchId, header.revision])).toEqual([
      [2n, 2n],
      [1n, 3n],
      [3n, 3n],
      [3n, 4n],
    ]);
  });

  it('can be limited to puts or to deletes', async () => {
    const { engine } = open();
    const noPuts = new TestWatch(engine).create(prefix(''), { exclude: ['put'] });
    const noDeletes = new TestWatch(engine).create(prefix(''), { exclude: ['delete'] });
    engine.execute('put', put('a', '1'));
    engine.execute('remove', remove('a'));
    await settled();
    expect(noPuts.events).toEqual([['3 delete a']]);
    expect(noDeletes.events).toEqual([['2 put a=1']]);
  });

  it('carry the pair before on demand, unless it was created then', async () => {
    const { engine } = open();
    const watch = new TestWatch(engine).create(prefix(''), { prevKv: true });
    engine.execute('put', put('a', '1'));
    engine.execute('put', put('a', '2'));
    engine.execute('remove', remove('a'));
    await settled();
    expect(watch.events.flat()).toEqual(['2 put a=1', '3 put a=2 was 1', '4 delete a was 2']);
  });
});

describe('a start revision', () => {
  it('in the past brings all since then, at the revision of now', async () => {
    const watch = new TestWatch(withHistory()).create(prefix(''), { startRevision: 3n });
    await settled();
    expect(watch.events).toEqual([['3 put b=2', '4 delete a']]);
    expect(watch.inbox.messages.map(({ header }) => header.revision)).toEqual([4n, 4n]);
  });

  it('in the future skips what comes before', async () => {
    const engine = withHistory();
    const watch = new TestWatch(engine).create(prefix(''), { startRevision: 6n });
    engine.execute('put', put('a', '5'));
    engine.execute('put', put('a', '6'));
    await settled();
    expect(watch.events).toEqual([['6 put a=6']]);
  });

  it('before the compacted one ends the watch, and tells that revision', async () => {
    const engine = withHistory();
    engine.execute('compact', { revision: 4n, physical: true });
    const watch = new TestWatch(engine).create(prefix(''), { startRevision: 3n });
    engine.execute('put', put('a', ''));
    await settled();
    expect(watch.inbox.messages).toMatchObject([
      { watchId: 1n, created: true, canceled: false, compactRevision: 0n },
      { watchId: 1n, created: false, canceled: true, compactRevision: 4n, cancelReason: '' },
    ]);
    expect(watch.inbox.messages).toHaveLength(2);
  });

  it('at the compacted one loses nothing, but has no pair from before it', async () => {
    const engine = withHistory();
    engine.execute('compact', { revision: 4n, physical: true });
    const watch = new TestWatch(engine).create(prefix(''), { startRevision: 4n, prevKv: true });
    await settled();
    expect(watch.events).toEqual([['4 delete a']]);
  });
});

describe('a watch stream', () => {
  it('answers a cancel, and delivers nothing after it', async () => {
    const { engine } = open();
    const watch = new TestWatch(engine).create(toRange('a'));
    watch.stream.send({ kind: 'cancel', watchId: 1n });
    watch.stream.send({ kind: 'cancel', watchId: 1n }); // not answered
    engine.execute('put', put('a', ''));
    await settled();
    expect(watch.inbox.messages.map(({ created, canceled }) => ({ created, canceled }))).toEqual([
      { created: true, canceled: false },
      { created: false, canceled: true },
    ]);
  });

  it('refuses an empty range and an id in use', async () => {
    const watch = new TestWatch(open().engine)
      .create(range('b', 'a'))
      .create(toRange('a'))
      .create(toRange('b'));
    await settled();
    expect(watch.inbox.messages).toMatchObject([
      { watchId: -1n, created: true, canceled: true, cancelReason: 'mvcc: watcher range is empty' },
      { watchId: 1n, created: true, canceled: false },
      {
        watchId: -1n,
        created: true,
        canceled: true,
        cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream',
      },
    ]);
  });

  it('answers a progress request behind all events up to the revision it tells', async () => {
    const { engine } = open();
    const watch = new TestWatch(engine).create(toRange('a'));
    engine.execute('put', put('a', ''));
    watch.stream.send({ kind: 'progress' });
    await settled();
    expect(watch.inbox.messages.at(-1)).toMatchObject({
      watchId: -1n,
      created: false,
      header: { revision: 2n },
      events: [],
    });
  });

  it('delivers nothing after close, also from within a message', async () => {
    const { engine } = open();
    const watch = new TestWatch(engine).create(toRange('a'));
    watch.inbox.message = () => watch.stream.close();
    engine.execute('put', put('a', ''));
    await settled();
    watch.inbox.message = () => expect.unreachable();
    engine.execute('put', put('a', ''));
    engine.close();
    await settled();
    expect(watch.inbox.errors).toEqual([]);
  });
});
