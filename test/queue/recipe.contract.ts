import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { toText } from '../../src/base/bytes.js';
import { put } from '../../src/store/operations.js';
import { patience } from '../rig/patience.js';
import { RecordingTransport } from '../rig/recording-transport.js';
import type { Backend } from '../store/contract.js';
import { Program, text } from './recipe-fixture.js';

/** What Go's queues do here, over any transport. */
export function recipes(start: () => Promise<Backend>): void {
  let backend: Backend;
  let recording: RecordingTransport;
  let one: Program;
  let other: Program;
  let path: string;

  beforeAll(async () => {
    backend = await start();
    recording = new RecordingTransport(backend.transport());
    one = await new Program(recording).warm();
    other = await new Program(backend.transport()).warm();
  });
  afterAll(async () => {
    await Promise.all([one.close(), other.close()]);
    await backend[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    path = `/recipes/${randomUUID()}`;
  });

  /** Resolves once the program waits for an item: `count` watches were created since. */
  const untilWatching = async (before: number, count = 1): Promise<void> => {
    await vi.waitFor(() => expect(recording.watchesCreated).toBe(before + count), patience);
  };

  describe('a queue', () => {
    it('gives first what was put first, by whomever', async () => {
      for (const [i, program] of [one, other, one, other].entries())
        await program.queue(path).enqueue(String(i));
      const taken = [];
      for (const program of [other, other, one, one]) taken.push(await text(program.queue(path).dequeue()));
      expect(taken).toEqual(['0', '1', '2', '3']);
      expect(await one.keysBelow(path)).toEqual([]);
    });

    it('gives the bytes that were put', async () => {
      const values = [new Uint8Array([0, 255, 128]), new Uint8Array(), new TextEncoder().encode('\ufeffü日')];
      for (const value of values) await one.queue(path).enqueue(value);
      for (const value of values) expect(await other.queue(path).dequeue()).toEqual(value);
    });

    it('keeps its items where Go does', async () => {
      await one.queue(path).enqueue('x');
      const [key = ''] = await one.keysBelow(path);
      expect(key.slice(path.length)).toMatch(/^\/1\d{18}$/);
      const nanoseconds = BigInt(key.slice(path.length + 1));
      expect(Math.abs(Number(nanoseconds / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    });

    it('goes by the order of the puts, not by what the clocks of others say', async () => {
      await one.store.put(`${path}/1999999999999999999`, 'first');
      await one.queue(path).enqueue('second');
      await one.store.put(`${path}/1000000000000000000`, 'third');
      const queue = other.queue(path);
      expect([await text(queue.dequeue()), await text(queue.dequeue()), await text(queue.dequeue())]).toEqual(
        ['first', 'second', 'third'],
      );
    });

    it('leaves alone what only begins with the same letters', async () => {
      await one.queue(`${path}1`).enqueue('of another queue');
      await expect(one.queue(path).dequeue({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
      expect(await text(one.queue(`${path}1`).dequeue())).toBe('of another queue');
    });

    it('that is empty makes a taker wait', async () => {
      const before = recording.watchesCreated;
      const waiting = text(one.queue(path).dequeue());
      await untilWatching(before);
      await other.queue(path).enqueue('late');
      expect(await waiting).toBe('late');
    });

    it('gives one to each who waits, in the order in which they asked', async () => {
      const before = recording.watchesCreated;
      const waiting = [1, 2, 3].map(() => text(one.queue(path).dequeue()));
      await untilWatching(before);
      for (const value of ['a', 'b', 'c']) await other.queue(path).enqueue(value);
      expect(await Promise.all(waiting)).toEqual(['a', 'b', 'c']);
      expect(await one.keysBelow(path)).toEqual([]);
    });

    it('with many who put and many who take gives each item once', async () => {
      const values = Array.from({ length: 40 }, (_, i) => String(i));
      const queues = [one.queue(path), other.queue(path)];
      const taken = values.map((_, i) => text(queues[i % 2]!.dequeue()));
      await Promise.all(values.map((value, i) => queues[(i + 1) % 2]!.enqueue(value)));
      expect((await Promise.all(taken)).sort((a, b) => Number(a) - Number(b))).toEqual(values);
      expect(await one.keysBelow(path)).toEqual([]);
    });

    it('that is long is emptied in order by two, with two requests for an item, whatever is put and taken away', async () => {
      const put60 = Array.from({ length: 60 }, (_, i) => put(`${path}/${99 - i}`, String(i)));
      for (const each of put60) await one.store.do(each);
      const [queue, others] = [one.queue(path), other.queue(path)];
      const taken: string[] = [];
      for (let i = 0; i < 4; i++) taken.push(await text(queue.dequeue()), await text(others.dequeue()));
      await other.store.remove(`${path}/91`); // the next one
      await other.store.do(put(`${path}/90`, 'written again')); // the one after: now the youngest
      taken.push(await text(queue.dequeue()));
      const from = recording.calls.length;
      for (let i = 0; i < 8; i++) taken.push(await text(queue.dequeue()));
      expect(recording.calls.slice(from)).toEqual(Array.from({ length: 8 }, () => ['get', 'txn']).flat());
      await other.queue(path).enqueue('last');
      while ((await one.keysBelow(path)).length > 0) taken.push(await text(queue.dequeue()));
      const inOrder = [...put60.keys()].filter((i) => i !== 8 && i !== 9).map(String);
      expect(taken).toEqual([...inOrder, 'written again', 'last']);
    });

    it('needs one request to put, and two to take', async () => {
      const from = recording.calls.length;
      await one.queue(path).enqueue('x');
      await one.queue(path).dequeue();
      expect(recording.calls.slice(from)).toEqual(['txn', 'get', 'txn']);
    });
  });

  describe('a priority queue', () => {
    it('gives the lowest number first, and what was put first among equals', async () => {
      const queue = one.priorityQueue(path);
      for (const [value, priority] of [
        ['c', 7],
        ['e', 65_535],
        ['d', 7],
        ['a', 0],
        ['b', 3],
      ] as const)
        await queue.enqueue(value, priority);
      const taken = [];
      for (let i = 0; i < 5; i++) taken.push(await text(other.priorityQueue(path).dequeue()));
      expect(taken.join('')).toBe('abcde');
    });

    it('keeps its items where Go does, and the guard that Go looks at', async () => {
      const queue = one.priorityQueue(path);
      await queue.enqueue('x', 7);
      await queue.enqueue('y', 7);
      await queue.enqueue('z', 65_535);
      expect(await one.keysBelow(path)).toEqual([
        `${path}/00007/0000000000000000`,
        `${path}/00007/0000000000000001`,
        `${path}/65535/0000000000000000`,
      ]);
      const { kvs } = await one.store.get(`__${path}/00007`);
      expect(kvs).toMatchObject([{ version: 2n, value: new Uint8Array(), lease: 0n }]);
    });

    it('gives who waits the best of what has come, not the first', async () => {
      const before = recording.watchesCreated;
      const waiting = text(one.priorityQueue(path).dequeue());
      await untilWatching(before);
      await other.store.txn({
        then: [
          put(`${path}/00009/0000000000000000`, 'worst'),
          put(`${path}/00005/0000000000000000`, 'best'),
          put(`${path}/00007/0000000000000000`, 'good'),
        ],
      });
      expect(await waiting).toBe('best');
    });

    it('that many fill at once has each item once, in order', async () => {
      const put = async (program: Program, name: string): Promise<void> => {
        for (let i = 0; i < 6; i++) await program.priorityQueue(path).enqueue(`${name}${i}`, 5);
      };
      await Promise.all([put(one, 'a'), put(other, 'b'), put(one, 'c')]);
      const { kvs } = await one.store.get({ key: Buffer.from(`${path}/`), end: Buffer.from(`${path}0`) });
      const values = kvs.map(({ value }) => toText(value));
      expect(values).toHaveLength(18);
      for (const name of ['a', 'b', 'c'])
        expect(values.filter((value) => value.startsWith(name))).toEqual(
          [0, 1, 2, 3, 4, 5].map((i) => `${name}${i}`),
        );
    });

    it('says so when something else stands among its items', async () => {
      await one.store.put(`${path}/00005/zzz`, 'x');
      await expect(one.priorityQueue(path).enqueue('y', 5)).rejects.toMatchObject({ code: 'CONFLICT' });
    });

    it('needs two requests to put, and two to take', async () => {
      const from = recording.calls.length;
      await one.priorityQueue(path).enqueue('x', 1);
      await one.priorityQueue(path).dequeue();
      expect(recording.calls.slice(from)).toEqual(['get', 'txn', 'get', 'txn']);
    });
  });

  describe.each([
    ['a queue', () => one.queue(path)],
    ['a priority queue', () => one.priorityQueue(path)],
  ])('a taker of %s', (_, queue) => {
    it('that does not want to wait is told at once that there is nothing', async () => {
      await expect(queue().dequeue({ timeoutMs: 0 })).rejects.toMatchObject({
        code: 'WAIT_TIMEOUT',
        message: expect.stringMatching(/queue ".*": dequeue: .*; it is empty$/) as unknown,
      });
    });

    it('that gives up leaves nothing, and takes nothing', async () => {
      const caller = new AbortController();
      const reason = new Error('enough');
      const before = recording.watchesCreated;
      const waiting = queue().dequeue({ signal: caller.signal });
      await untilWatching(before);
      const cancelled = recording.watchCommands.filter((kind) => kind === 'cancel').length;
      caller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      expect(recording.watchCommands.filter((kind) => kind === 'cancel')).toHaveLength(cancelled + 1);
      await other.store.put(`${path}/00001/0000000000000000`, 'x');
      expect(await text(queue().dequeue())).toBe('x');
    });

    it('whose time is up behind another is told so, and the other gets what comes', async () => {
      const before = recording.watchesCreated;
      const waiting = text(queue().dequeue());
      await untilWatching(before);
      await expect(queue().dequeue({ timeoutMs: 20 })).rejects.toMatchObject({
        code: 'WAIT_TIMEOUT',
        message: expect.stringContaining('other tasks of this process wait for it, too') as unknown,
      });
      await other.store.put(`${path}/00001/0000000000000000`, 'x');
      expect(await waiting).toBe('x');
    });
  });
}
