import { describe, expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';
import { isClaim, isFill } from './requests.js';

it('a job that was done although somebody had cancelled it counts as completed, without a result and without an id of its own', async () => {
  await using world = await World.open();
  const [producer, worker] = [await world.client(), await world.client()];
  const { id } = await producer.queue('q').enqueue('x');
  const ended = producer.queue('q').waitFor(id);
  const delivery = await worker.queue('q').receive();
  expect(await producer.queue('q').cancel(id)).toBe('running');
  await world.run(delivery.ack());
  expect(await world.run(ended)).toEqual({ state: 'completed', result: undefined });
});

it('a job of a group does not overtake the one before it, when only the slot meant for it has become free', async () => {
  await using world = await World.open();
  const options = { groupConcurrency: 2 };
  const [early, quick, hidden] = [await world.client(), await world.client(), await world.client()];
  const group = 'g';
  const urgent = { group, priority: 9 };
  // It saw both slots free, and two jobs for them; its request takes its time.
  world.delayRequest(early, { method: 'txn', where: isFill, ms: 5_000 });
  await early.queue('q', options).enqueueAll([
    { value: 'first', group },
    { value: 'second', group },
  ]);
  await quick.queue('q', options).enqueueAll([
    { value: 'urgent 1', ...urgent },
    { value: 'urgent 2', ...urgent },
  ]);
  await world.settle();
  const one = await quick.queue('q', options).receive();
  const two = await hidden.queue('q', options).receive();
  expect([one.value, two.value]).toEqual(['urgent 1', 'urgent 2']);
  // Its slot becomes free, and it does not hear of that.
  world.partition(hidden, { blocks: 'replies' });
  void two.ack().catch(() => {});
  await world.advance(6_000);

  const next = await world.run(early.queue('q', options).receive());
  expect(next.value).toBe('first');
  await next.ack();
  world.heal(hidden);
  await one.ack();
  await (await world.run(early.queue('q', options).receive())).ack();
});

describe('with a limit for how many jobs run', () => {
  it('a job whose end waits for space still counts', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q', { maxRunning: 1 });
    await queue.enqueueAll([{ value: 1 }, { value: 2 }]);
    const delivery = await queue.receive();
    world.engine.noSpace = true;
    await expect(world.run(delivery.retry({ delayMs: 0 }))).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
    world.engine.noSpace = false;
    await expect(queue.receive({ timeoutMs: 0 })).rejects.toThrow('1 jobs run already');
    await world.advance(1_000);
    const next = await queue.receive({ timeoutMs: 0 });
    expect(next.value).toBe(2);
    await next.ack();
    await (await queue.receive()).ack();
  });

  it('a job that is being taken counts, although whoever wanted it has given up', async () => {
    await using world = await World.open();
    const [impatient, other] = [await world.client(), await world.client()];
    await other.queue('q').enqueueAll([{ value: 1 }, { value: 2 }]);
    world.dropReply(impatient, { method: 'txn', where: isClaim, isSilent: true });
    const giveUp = new AbortController();
    const waiting = impatient.queue('q', { maxRunning: 1 }).receive({ signal: giveUp.signal });
    await world.advance(500);
    giveUp.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await world.settle();
    expect(await other.queue('q').inspect()).toMatchObject({ running: [{}] });
    await expect(other.queue('q', { maxRunning: 1 }).receive({ timeoutMs: 0 })).rejects.toThrow(
      'run already',
    );
    const next = await world.run(other.queue('q', { maxRunning: 1 }).receive());
    expect(await other.queue('q').inspect()).toMatchObject({ running: [{ id: next.id }] });
    await next.ack();
    await (await world.run(other.queue('q').receive())).ack();
  });

  it('whoever waits goes on while the store is away', async () => {
    await using world = await World.open();
    const [producer, worker] = [await world.client(), await world.client()];
    await producer.queue('q').enqueue(1);
    world.partition(worker, { refuses: true });
    const queue = worker.queue('q', { maxRunning: 1 });
    const waiting = queue.receive({ timeoutMs: 60_000 });
    await expect(world.run(queue.receive({ timeoutMs: 0 }))).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
    await world.advance(20_000);
    world.heal(worker);
    await (await world.run(waiting)).ack();
  });
});
