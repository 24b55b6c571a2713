import { expect, it } from 'vitest';
import type { Hold } from '../../src/index.js';
import { World } from '../../src/testing/index.js';

/** Notes who is granted the lock, in order. */
function noting(order: string[]): (name: string, acquiring: Promise<Hold>) => Promise<void> {
  return async (name, acquiring) => {
    const hold = await acquiring;
    order.push(name);
    await hold.release();
  };
}

it('the lock goes from process to process in the order in which they came', async () => {
  await using world = await World.open();
  const order: string[] = [];
  const note = noting(order);
  const holder = await (await world.client()).mutex('m').acquire();
  const waiting: Promise<void>[] = [];
  for (const name of ['first', 'second', 'third', 'fourth']) {
    const client = await world.client();
    waiting.push(note(name, client.mutex('m').acquire()));
    await world.settle();
  }

  await holder.release();
  await world.run(Promise.all(waiting));
  expect(order).toEqual(['first', 'second', 'third', 'fourth']);
});

it('the lock goes from task to task in the order in which they came', async () => {
  await using world = await World.open();
  const order: string[] = [];
  const note = noting(order);
  const client = await world.client();
  const names = ['first', 'second', 'third', 'fourth'];
  await world.run(Promise.all(names.map((name) => note(name, client.mutex('m').acquire()))));
  expect(order).toEqual(names);
});

it('a process with further tasks in wait lets the next process go before them', async () => {
  await using world = await World.open();
  const order: string[] = [];
  const note = noting(order);
  const [busy, other] = [await world.client(), await world.client()];
  const hold = await busy.mutex('m').acquire();
  const waiting = [note('second task of the busy one', busy.mutex('m').acquire())];
  waiting.push(note('the other process', other.mutex('m').acquire()));
  await world.settle();

  await hold.release();
  await world.run(Promise.all(waiting));
  expect(order).toEqual(['the other process', 'second task of the busy one']);
});

it('every later holder has a larger token', async () => {
  await using world = await World.open();
  const clients = [await world.client(), await world.client()];
  const tokens: bigint[] = [];
  for (let i = 0; i < 6; i++) {
    await using hold = await clients[i % 2]!.mutex('m').acquire();
    tokens.push(hold.fencingToken);
  }
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => Number(a - b)));
});
