import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Cluster } from '../rig/cluster.js';
import { GoBuild, type GoProgram } from '../rig/go-program.js';
import { guardMs, patience } from '../rig/patience.js';
import { RecordingTransport } from '../rig/recording-transport.js';
import { Program, text } from './recipe-fixture.js';

let go: GoBuild;
let cluster: Cluster;
let transport: RecordingTransport;
let ours: Program;
let path: string;

beforeAll(async () => {
  go = await GoBuild.make();
  cluster = await Cluster.start({ members: 3 });
  const { endpoints } = cluster;
  transport = new RecordingTransport(
    new EtcdTransport({ endpoints, runtime: systemRuntime, dialTimeoutMs: 5_000 }),
  );
  ours = new Program(transport);
}, 5 * guardMs);

afterAll(async () => {
  await ours.close();
  await cluster.dispose();
  await go[Symbol.asyncDispose]();
});

beforeEach((context) => {
  if (go.lacks !== undefined) context.skip(go.lacks);
  path = `recipes/${randomUUID()}`;
});

/** A Go program that listens. */
async function program(): Promise<GoProgram> {
  const theirs = go.start(cluster.endpoints, 20, 'recipes', path);
  await theirs.lines(1);
  return theirs;
}

/** Resolves once one more of our calls waits for an item. */
async function untilWatching(before: number): Promise<void> {
  await vi.waitFor(() => expect(transport.watchesCreated).toBe(before + 1), patience);
}

describe('a queue shared with a Go program', { timeout: 2 * guardMs }, () => {
  it('is filled there and emptied here, in order', async () => {
    await using theirs = await program();
    for (const value of ['a', 'b', 'c']) expect(await theirs.ask(`enqueue ${value}`)).toBe('enqueued');
    const queue = ours.queue(path);
    expect([await text(queue.dequeue()), await text(queue.dequeue()), await text(queue.dequeue())]).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it('is filled here and emptied there, in order', async () => {
    await using theirs = await program();
    for (const value of ['a', 'b', 'c']) await ours.queue(path).enqueue(value);
    for (const value of ['a', 'b', 'c']) expect(await theirs.ask('dequeue')).toBe(`dequeued ${value}`);
    expect(await ours.keysBelow(path)).toEqual([]);
  });

  it('that both fill has one order', async () => {
    await using theirs = await program();
    for (let i = 0; i < 6; i += 2) {
      await ours.queue(path).enqueue(String(i));
      await theirs.ask(`enqueue ${i + 1}`);
    }
    const taken = [];
    for (let i = 0; i < 3; i++)
      taken.push(await theirs.ask('dequeue'), await text(ours.queue(path).dequeue()));
    expect(taken).toEqual(['dequeued 0', '1', 'dequeued 2', '3', 'dequeued 4', '5']);
  });

  it('wakes us when they put', async () => {
    await using theirs = await program();
    const before = transport.watchesCreated;
    const waiting = text(ours.queue(path).dequeue());
    await untilWatching(before);
    await theirs.ask('enqueue late');
    expect(await waiting).toBe('late');
  });

  it('wakes them when we put', async () => {
    await using theirs = await program();
    const answer = theirs.ask('dequeue');
    await ours.queue(path).enqueue('late');
    expect(await answer).toBe('dequeued late');
  });

  it('gives each item to one of those who race for it', async () => {
    await using theirs = await program();
    await using others = await program();
    const values = Array.from({ length: 60 }, (_, i) => String(i));
    const taken: string[] = [];
    const takeHere = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) taken.push(await text(ours.queue(path).dequeue()));
    };
    const takeThere = async (program: GoProgram): Promise<void> => {
      for (let i = 0; i < 20; i++) taken.push((await program.ask('dequeue')).replace('dequeued ', ''));
    };
    const taking = Promise.all([takeHere(), takeThere(theirs), takeThere(others)]);
    for (const value of values) await ours.queue(path).enqueue(value);
    await taking;
    expect(taken.sort((a, b) => Number(a) - Number(b))).toEqual(values);
    expect(await ours.keysBelow(path)).toEqual([]);
  });
});

describe('a priority queue shared with a Go program', { timeout: 2 * guardMs }, () => {
  it('is filled by both and emptied here, the lowest number first', async () => {
    await using theirs = await program();
    const queue = ours.priorityQueue(path);
    await theirs.ask('enqueue-priority 7 c');
    await queue.enqueue('d', 7);
    await theirs.ask('enqueue-priority 7 e');
    await queue.enqueue('f', 65_535);
    await theirs.ask('enqueue-priority 0 a');
    await queue.enqueue('b', 0);
    const taken = [];
    for (let i = 0; i < 6; i++) taken.push(await text(queue.dequeue()));
    expect(taken.join('')).toBe('abcdef');
  });

  it('is filled by both and emptied there, the lowest number first', async () => {
    await using theirs = await program();
    const queue = ours.priorityQueue(path);
    await queue.enqueue('c', 7);
    await theirs.ask('enqueue-priority 7 d');
    await queue.enqueue('e', 7);
    await theirs.ask('enqueue-priority 3 a');
    await queue.enqueue('b', 3);
    for (const value of ['a', 'b', 'c', 'd', 'e'])
      expect(await theirs.ask('dequeue-priority')).toBe(`dequeued ${value}`);
  });

  it('loses and doubles nothing when both fill one priority at once', async () => {
    await using theirs = await program();
    await using others = await program();
    const fill = async (program: GoProgram, name: string): Promise<void> => {
      for (let i = 0; i < 15; i++) await program.ask(`enqueue-priority 5 ${name}${i}`);
    };
    const fillHere = async (): Promise<void> => {
      for (let i = 0; i < 15; i++) await ours.priorityQueue(path).enqueue(`ours${i}`, 5);
    };
    await Promise.all([fill(theirs, 'theirs'), fill(others, 'others'), fillHere()]);
    const taken: string[] = [];
    for (let i = 0; i < 45; i++) taken.push(await text(ours.priorityQueue(path).dequeue()));
    for (const name of ['ours', 'theirs', 'others']) {
      const inOrder = Array.from({ length: 15 }, (_, i) => `${name}${i}`);
      expect(taken.filter((value) => value.startsWith(name))).toEqual(inOrder);
    }
  });

  it('wakes us when they put, and them when we put', async () => {
    await using theirs = await program();
    const before = transport.watchesCreated;
    const waiting = text(ours.priorityQueue(path).dequeue());
    await untilWatching(before);
    await theirs.ask('enqueue-priority 9 late');
    expect(await waiting).toBe('late');
    const answer = theirs.ask('dequeue-priority');
    await ours.priorityQueue(path).enqueue('later', 9);
    expect(await answer).toBe('dequeued later');
  });
});

describe("Go's barrier", { timeout: 2 * guardMs }, () => {
  it('is its key itself, without a lease: there while it is closed, and gone when it is open', async () => {
    await using theirs = await program();
    expect(await theirs.ask('hold')).toBe('held');
    expect(await theirs.ask('hold')).toBe('held already');
    expect((await ours.store.get(path)).kvs).toMatchObject([{ value: new Uint8Array(), lease: 0n }]);
    expect(await theirs.ask('release')).toBe('released');
    expect((await ours.store.get(path)).kvs).toEqual([]);
    expect(await theirs.ask('wait')).toBe('passed');
  });
});
