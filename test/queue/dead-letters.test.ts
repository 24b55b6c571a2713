import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import type { DeadLetter, Queue } from '../../src/index.js';
import { World } from '../../src/testing/index.js';

const dead = 'conclave/queue/q/dead/';

async function listed(queue: Queue): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const letter of queue.deadLetters.list()) letters.push(letter);
  return letters;
}

/** Puts a job and lets it fail for good. */
async function bury(
  queue: Queue,
  value: unknown,
  options: Parameters<Queue['enqueue']>[1] = {},
): Promise<string> {
  const { id } = await queue.enqueue(value, options);
  await (await queue.receive()).fail(new Error('broken'));
  return id;
}

describe('dead letters', () => {
  it('say what they were, why they died and when', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q', { attempts: 2, backoff: { minMs: 0, maxMs: 0 } });
    await queue.enqueue({ x: 1 }, { id: 'one' });
    await (await queue.receive()).retry({ error: new Error('at first') });
    await world.advance(5_000);
    await (await queue.receive()).fail(new Error('broken'));

    const [letter] = await listed(queue);

    const start = 1_700_000_000_000;
    expect(letter).toEqual({
      id: 'one',
      value: { x: 1 },
      reason: 'failed',
      error: 'Error: broken',
      attempts: 2,
      enqueuedAt: new Date(start),
      diedAt: new Date(start + 5_000),
    });
    expect(await queue.deadLetters.get('one')).toEqual(letter);
    expect(await queue.deadLetters.get('two')).toBeUndefined();
  });

  it('are listed completely, in pages', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    for (let i = 0; i < 40; i++) await bury(queue, i, { id: `a${i}` });

    const ids = (await listed(queue)).map(({ id }) => id);

    expect(ids).toEqual(Array.from({ length: 40 }, (_, i) => `a${i}`).sort());
  });

  it('whose value does not pass the schema are listed with it, and no worker gets stuck over them', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.queue('q').enqueue('text', { id: 'odd' });
    const queue = client.queue('q', { schema: v.number() });
    await queue.enqueue(7);

    const delivery = await queue.receive();

    expect(delivery.value).toBe(7);
    await delivery.ack();
    const [letter] = await listed(queue);
    expect(letter).toMatchObject({ id: 'odd', value: 'text', reason: 'unreadable', attempts: 0 });
  });

  it.each([
    ['another program', 'hello'],
    ['a newer version', '{"v":2,"body":{}}'],
  ])(
    'that were written by %s are listed as they are, can be dropped, and are not retried',
    async (_, stored) => {
      await using world = await World.open();
      const queue = (await world.client()).queue('q');
      const id = await bury(queue, 'x');
      await world.store.put(`${dead}alien`, stored);

      const letter = (await listed(queue)).find((each) => each.id === 'alien');

      expect(letter).toMatchObject({ value: stored, reason: 'unreadable' });
      await expect(queue.deadLetters.retry('alien')).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await queue.deadLetters.retryAll()).toBe(1);
      expect((await queue.receive({ timeoutMs: 0 })).id).toBe(id);
      expect(await queue.deadLetters.drop('alien')).toBe(true);
      expect(await listed(queue)).toEqual([]);
    },
  );

  it('with a bad id are an error before any I/O', async () => {
    await using world = await World.open();
    const client = await world.client();
    const { deadLetters } = client.queue('q');
    await expect(deadLetters.get('')).rejects.toThrow(TypeError);
    await expect(deadLetters.retry('')).rejects.toThrow(TypeError);
    await expect(deadLetters.drop('x'.repeat(600))).rejects.toThrow(RangeError);
    expect(world.calls(client)).toEqual([]);
  });
});

describe('a dead letter that is retried', () => {
  it('has all its attempts before it, goes to the end of its lane, and keeps its id', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q', { attempts: 2, backoff: { minMs: 0, maxMs: 0 } });
    await bury(queue, 'x', { id: 'one' });
    await queue.enqueue('y');

    expect(await queue.deadLetters.retry('one')).toBe(true);

    expect(await queue.deadLetters.retry('one')).toBe(false);
    await (await queue.receive()).ack();
    const delivery = await queue.receive();
    expect(delivery).toMatchObject({ id: 'one', value: 'x', attempt: 1 });
    await delivery.retry();
    expect((await queue.receive()).attempt).toBe(2);
  });

  it('is done once, whatever becomes of the answer', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    await bury(queue, 'x', { id: 'one' });
    world.dropReply(client, {
      method: 'txn',
      where: ({ then }) => then.some(({ kind }) => kind === 'remove'),
    });

    expect(await world.run(queue.deadLetters.retry('one'))).toBe(true);

    await (await queue.receive({ timeoutMs: 0 })).ack();
    expect(await queue.inspect()).toMatchObject({ ready: 0, running: [], dead: 0 });
  });

  it('is not put again by a copy of the request that comes when it has died anew', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 60_000 });
    const queue = client.queue('q');
    await bury(queue, 'x', { id: 'one' });
    world.repeatRequest(client, {
      method: 'txn',
      where: ({ then }) => then.some(({ kind }) => kind === 'remove'),
      ms: 5_000,
    });
    expect(await world.run(queue.deadLetters.retry('one'))).toBe(true);
    await (await queue.receive()).fail('again');

    await world.advance(10_000);

    expect(await queue.inspect()).toMatchObject({ ready: 0, running: [], dead: 1 });
  });

  it('is retried by one of several that try at a time', async () => {
    await using world = await World.open();
    const queues = [(await world.client()).queue('q'), (await world.client()).queue('q')] as const;
    await bury(queues[0], 'x', { id: 'one' });

    const results = await world.run(Promise.all(queues.map(({ deadLetters }) => deadLetters.retry('one'))));

    expect(results.sort()).toEqual([false, true]);
    expect(await queues[0].inspect()).toMatchObject({ ready: 1, dead: 0 });
  });

  it('may begin though it had expired', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', { id: 'late', expiresAt: 1_700_000_001_000 });
    await world.advance(2_000);
    await expect(world.run(queue.receive({ timeoutMs: 500 }))).rejects.toThrow();
    expect(await queue.deadLetters.get('late')).toMatchObject({ reason: 'expired', attempts: 0 });

    await queue.deadLetters.retry('late');

    expect((await world.run(queue.receive({ timeoutMs: 500 }))).value).toBe('x');
  });

  it('waits for a slot of its group', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', { id: 'one', group: 'g' });
    await (await world.run(queue.receive())).fail('broken');
    await queue.enqueue('y', { group: 'g' });
    const other = await world.run(queue.receive());

    await queue.deadLetters.retry('one');

    await world.settle();
    expect(await queue.inspect()).toMatchObject({ grouped: 1, ready: 0 });
    await other.ack();
    expect(await world.run(queue.receive())).toMatchObject({ id: 'one' });
  });

  it('is put though no job of its priority was ever there', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', { id: 'one', priority: 5 });
    await world.store.put('conclave/queue/q/job/one', 'spoilt');
    await expect(world.run(queue.receive({ timeoutMs: 500 }))).rejects.toThrow();
    expect(await queue.deadLetters.get('one')).toMatchObject({ value: 'spoilt', reason: 'unreadable' });

    expect(await world.run(queue.deadLetters.retry('one'))).toBe(true);

    expect((await queue.receive()).value).toBe('spoilt');
  });
});

it('all dead letters are retried, in a few transactions', async () => {
  await using world = await World.open();
  const client = await world.client();
  const queue = client.queue('q');
  for (let i = 0; i < 40; i++) await bury(queue, i);
  const before = world.calls(client).length;

  expect(await queue.deadLetters.retryAll()).toBe(40);

  expect(world.calls(client).length - before).toBeLessThan(15);
  expect(await queue.inspect()).toMatchObject({ ready: 40, dead: 0 });
});

it('dead letters are all retried once though two retry all of them and drop some at a time', async () => {
  await using world = await World.open();
  const queues = [(await world.client()).queue('q'), (await world.client()).queue('q')] as const;
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) ids.push(await bury(queues[0], i));
  const [first = ''] = ids;

  const [a, b, isDropped] = await world.run(
    Promise.all([
      queues[0].deadLetters.retryAll(),
      queues[1].deadLetters.retryAll(),
      queues[1].deadLetters.drop(first),
    ]),
  );

  expect(a + b + Number(isDropped)).toBe(20);
  expect(await queues[0].inspect()).toMatchObject({ ready: a + b, dead: 0 });
});

it('a dead letter that is dropped is gone for good, its id is free, and that works while the store is full', async () => {
  await using world = await World.open();
  const client = await world.client();
  const queue = client.queue('q');
  await bury(queue, 'x', { id: 'one' });
  world.engine.noSpace = true;

  expect(await queue.deadLetters.drop('one')).toBe(true);

  expect(await queue.deadLetters.drop('one')).toBe(false);
  world.engine.noSpace = false;
  expect(await queue.enqueue('x', { id: 'one' })).toMatchObject({ created: true });
});

it('a dead letter is dropped once, whatever becomes of the answer', async () => {
  await using world = await World.open();
  const client = await world.client();
  const queue = client.queue('q');
  await bury(queue, 'x', { id: 'one' });
  world.dropReply(client, { method: 'txn', where: ({ then }) => then.some(({ kind }) => kind === 'remove') });

  expect(await world.run(queue.deadLetters.drop('one'))).toBe(true);

  expect(await queue.inspect()).toMatchObject({ dead: 0 });
});
