import { describe, expect, it } from 'vitest';
import { FailJob, isConclaveError } from '../../src/index.js';
import { World } from '../../src/testing/world.js';

const job = { id: 'one' };

describe('waitFor', () => {
  it('resolves with the result as soon as a worker has acknowledged the job', async () => {
    await using world = await World.open();
    const [producer, worker] = [await world.client(), await world.client()];
    await producer.queue('q').enqueue(2, job);
    const others = world.watches(producer).length;
    const waiting = producer.queue('q').waitFor<number>('one');
    const delivery = await worker.queue('q').receive();
    await delivery.ack(4);
    const end = await world.run(waiting);
    expect(end).toEqual({ state: 'completed', result: 4 });
    expect(world.watches(producer)).toHaveLength(others);
  });

  it('tells at once how a job has ended that is remembered', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', job);
    await (await queue.receive()).ack();
    expect(await queue.waitFor('one', { timeoutMs: 0 })).toEqual({ state: 'completed', result: undefined });
    const { id } = await queue.enqueue('x');
    await (await queue.receive()).fail(new Error('bad'));
    expect(await queue.waitFor(id)).toEqual({ state: 'dead', reason: 'failed', error: 'Error: bad' });
  });

  it('resolves for a job of which nothing is kept', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    const { id } = await queue.enqueue('x');
    const waiting = queue.waitFor(id);
    await (await queue.receive()).ack();
    expect(await world.run(waiting)).toEqual({ state: 'completed', result: undefined });
  });

  it('waits over failures and lost workers, for the end', async () => {
    await using world = await World.open();
    const [producer, lost, worker] = [
      await world.client(),
      await world.client({ sessionTtlMs: 5_000 }),
      await world.client(),
    ];
    const { id } = await producer.queue('q', { attempts: 3 }).enqueue('x');
    let ended: unknown;
    void producer
      .queue('q')
      .waitFor(id)
      .then((end) => (ended = end));
    await lost.queue('q').receive();
    world.crash(lost);
    const again = worker.queue('q').receive();
    await world.advance(20_000);
    await (await again).retry({ delayMs: 1_000 });
    await world.advance(0);
    expect(ended).toBeUndefined();
    const third = worker.queue('q').receive();
    await world.advance(2_000);
    await (await third).fail('no');
    await world.advance(0);
    expect(ended).toEqual({ state: 'dead', reason: 'failed', error: 'no' });
  });

  it('tells of a job that was cancelled while it waited, and of one that ran', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', { id: 'waits' });
    const first = queue.waitFor('waits');
    await queue.cancel('waits');
    expect(await world.run(first)).toEqual({ state: 'cancelled' });
    await queue.enqueue('x', { id: 'runs' });
    const second = queue.waitFor('runs');
    const delivery = await queue.receive();
    await queue.cancel('runs');
    await world.settle();
    await world.run(delivery.retry());
    expect(await world.run(second)).toEqual({ state: 'cancelled' });
  });

  it('tells a cancelled job from one that is done also if nothing is kept', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q', { keepMs: 0 });
    for (const id of ['waits', 'runs', 'done']) await queue.enqueue(id, { id });
    const ends = Promise.all(['waits', 'runs', 'done'].map((id) => queue.waitFor(id)));
    await world.settle();
    await queue.cancel('waits');
    const [runs, done] = [await queue.receive(), await queue.receive()];
    await queue.cancel('runs');
    await world.settle();
    await world.run(runs.retry());
    await done.ack();
    expect((await world.run(ends)).map(({ state }) => state)).toEqual([
      'cancelled',
      'cancelled',
      'completed',
    ]);
    await expect(queue.waitFor('done')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('says at once that there is no such job', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q', { keepMs: 10_000 });
    await expect(queue.waitFor('never')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await queue.enqueue('x', job);
    await (await queue.receive()).ack(1);
    await world.advance(20_000);
    await expect(queue.waitFor('one')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(queue.waitFor('')).rejects.toThrow(TypeError);
  });

  it('waits for a dead letter that is tried again', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', job);
    await (await queue.receive()).fail('no');
    await queue.deadLetters.retry('one');
    const waiting = queue.waitFor('one');
    await (await queue.receive()).ack('yes');
    expect(await world.run(waiting)).toEqual({ state: 'completed', result: 'yes' });
  });

  it('ends with its time, and with the signal, and leaves nothing', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    await queue.enqueue('x', job);
    const others = world.watches(client).length;
    const watched = (): number => world.watches(client).length - others;
    await expect(queue.waitFor('one', { timeoutMs: 0 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
    const stop = new AbortController();
    const timed = queue.waitFor('one', { timeoutMs: 3_000 }).catch((error: unknown) => error);
    const stopped = queue.waitFor('one', { signal: stop.signal }).catch((error: unknown) => error);
    await world.advance(2_999);
    expect(watched()).toBe(2);
    stop.abort('enough');
    await world.advance(1);
    expect(await stopped).toBe('enough');
    expect(isConclaveError(await timed, 'WAIT_TIMEOUT')).toBe(true);
    expect(watched()).toBe(0);
    await (await queue.receive()).ack();
  });

  it('ends with the Conclave', async () => {
    await using world = await World.open();
    const [client, other] = [await world.client(), await world.client()];
    await other.queue('q').enqueue('x', job);
    const waiting = client
      .queue('q')
      .waitFor('one')
      .catch((error: unknown) => error);
    await world.settle();
    await client.close();
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    await (await other.queue('q').receive()).ack();
  });

  it('is told of an end that it could not watch: cut off, and the past compacted away', async () => {
    await using world = await World.open();
    const [producer, worker] = [await world.client(), await world.client()];
    await producer.queue('q').enqueue('x', job);
    const { id } = await producer.queue('q').enqueue('y');
    const ends = Promise.all([producer.queue('q').waitFor('one'), producer.queue('q').waitFor(id)]);
    await world.settle();
    world.partition(producer);
    await (await worker.queue('q').receive()).ack('done');
    await (await worker.queue('q').receive()).ack();
    world.compactUnderWatches(producer);
    world.heal(producer);
    expect(await world.run(ends)).toEqual([
      { state: 'completed', result: 'done' },
      { state: 'completed', result: undefined },
    ]);
  });

  it('is told of a dead letter that was dropped before its end could be read', async () => {
    await using world = await World.open();
    const [producer, worker] = [await world.client(), await world.client()];
    await producer.queue('q').enqueue('x', job);
    const waiting = producer.queue('q').waitFor('one');
    await world.settle();
    const isOfThePast = (op: { kind: string; revision?: bigint }): boolean =>
      op.kind === 'get' && (op.revision ?? 0n) > 0n;
    let isAway = true;
    for (let i = 0; i < 1_000; i++) {
      const where = ({ then }: { then: readonly { kind: string; revision?: bigint }[] }): boolean =>
        isAway && then.some(isOfThePast);
      world.dropRequest(producer, { method: 'txn', where });
    }

    await (await worker.queue('q').receive()).fail('no');
    await world.advance(500);
    await worker.queue('q').deadLetters.drop('one');
    await world.advance(10_000);
    isAway = false;

    expect(await world.run(waiting)).toEqual({ state: 'dead', reason: 'failed', error: 'no' });
  });

  it('does not guess how a job has ended once that is forgotten', async () => {
    await using world = await World.open();
    const [producer, worker] = [await world.client(), await world.client()];
    const queue = producer.queue('q', { keepMs: 60_000 });
    await queue.enqueue('x', job);
    const waiting = queue.waitFor('one').catch((error: unknown) => error);
    await world.settle();
    world.partition(producer);
    await (await worker.queue('q', { keepMs: 60_000 }).receive()).ack('done');
    await world.advance(120_000);
    world.compactUnderWatches(producer);
    world.heal(producer);
    expect(await world.run(waiting)).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('goes on while the store is away', async () => {
    await using world = await World.open();
    const [producer, worker] = [await world.client(), await world.client()];
    await producer.queue('q').enqueue('x', job);
    world.partition(producer, { refuses: true });
    const waiting = producer.queue('q').waitFor('one');
    await world.advance(10_000);
    await worker.queue('q').work(
      () => {
        throw new FailJob('no');
      },
      { signal: AbortSignal.abort() },
    );
    await (await worker.queue('q').receive()).fail('no');
    world.heal(producer);
    expect(await world.run(waiting)).toMatchObject({ state: 'dead' });
  });

  it('finds out within 15 s if the store loses the event', async () => {
    await using world = await World.open();
    const [producer, worker] = [await world.client(), await world.client()];
    await producer.queue('q').enqueue('x', job);
    const waiting = producer.queue('q').waitFor('one');
    await world.settle();
    world.lagWatches(producer, 3_600_000);
    await (await worker.queue('q').receive()).ack(1);
    const end = await world.run(waiting, { limitMs: 15_000 });
    expect(end).toEqual({ state: 'completed', result: 1 });
  });
});
