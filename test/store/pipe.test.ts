import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Pipe } from '../../src/store/pipe.js';

interface Item {
  readonly n: number;
}

describe('a pipe', () => {
  it('gives what was pushed, in order, and waits for more', async () => {
    const pipe = new Pipe<Item>(undefined);
    const reader = pipe[Symbol.asyncIterator]();
    pipe.push({ n: 1 });
    pipe.push({ n: 2 });
    expect(pipe.backlog).toBe(2);
    expect((await reader.next()).value).toEqual({ n: 1 });
    expect(pipe.backlog).toBe(1);
    expect((await reader.next()).value).toEqual({ n: 2 });
    const third = reader.next();
    pipe.push({ n: 3 });
    expect((await third).value).toEqual({ n: 3 });
  });

  it('throws what it was failed with after everything pushed before, and nothing after it', async () => {
    const pipe = new Pipe<Item>(undefined);
    const seen: Item[] = [];
    pipe.push({ n: 1 });
    pipe.fail('first');
    pipe.fail('second');
    pipe.push({ n: 2 });
    const reading = (async () => {
      for await (const item of pipe) seen.push(item);
    })();
    await expect(reading).rejects.toBe('first');
    expect(seen).toEqual([{ n: 1 }]);
  });

  it('throws undefined too', async () => {
    const pipe = new Pipe<Item>(undefined);
    const next = pipe[Symbol.asyncIterator]().next();
    pipe.fail(undefined);
    await expect(next).rejects.toBeUndefined();
  });

  it('does not let an abort wait for what was not read yet', async () => {
    const abort = new AbortController();
    const pipe = new Pipe<Item>(abort.signal);
    const reader = pipe[Symbol.asyncIterator]();
    for (const n of [1, 2, 3]) pipe.push({ n });
    expect((await reader.next()).value).toEqual({ n: 1 });
    abort.abort('enough');
    await expect(reader.next()).rejects.toBe('enough');
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it('wakes a reader by an abort, and throws at once if that came before', async () => {
    const abort = new AbortController();
    const next = new Pipe<Item>(abort.signal)[Symbol.asyncIterator]().next();
    abort.abort('enough');
    await expect(next).rejects.toBe('enough');
    await expect(new Pipe<Item>(abort.signal)[Symbol.asyncIterator]().next()).rejects.toBe('enough');
  });

  it('forgets its signal at break', async () => {
    const { signal } = new AbortController();
    const pipe = new Pipe<Item>(signal);
    pipe.push({ n: 1 });
    for await (const item of pipe) {
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      if (item.n === 1) break;
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('takes time in proportion to what it holds', async () => {
    const pipe = new Pipe<Item>(undefined);
    const total = 20_000;
    for (let i = 0; i < total; i++) pipe.push({ n: i });
    pipe.fail('end');
    let count = 0;
    const reading = (async () => {
      for await (const { n } of pipe) if (n === count) count++;
    })();
    await expect(reading).rejects.toBe('end');
    expect(count).toBe(total);
  });
});
