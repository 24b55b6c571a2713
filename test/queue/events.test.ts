import { describe, expect, it } from 'vitest';
import type { Conclave, QueueEvent } from '../../src/index.js';
import { World } from '../../src/testing/world.js';

/** Reads events as they come; each without its revision and without what has no value. */
class Reader implements AsyncDisposable {
  readonly events: QueueEvent[] = [];
  readonly ended: Promise<unknown>;
  readonly #end = new AbortController();

  constructor(client: Conclave) {
    this.ended = this.#read(client).catch((error: unknown) => error);
  }

  async #read(client: Conclave): Promise<void> {
    for await (const event of client.queue('q').events({ signal: this.#end.signal })) this.events.push(event);
  }

  /** Like `started one`. */
  get told(): readonly string[] {
    return this.events.map((event) => ('id' in event ? `${event.kind} ${event.id}` : event.kind));
  }

  last(kind: QueueEvent['kind']): QueueEvent | undefined {
    return this.events.findLast((event) => event.kind === kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort('enough');
    await this.ended;
  }
}

/** A world in which somebody reads the events of a queue. */
class Stage implements AsyncDisposable {
  readonly world: World;
  readonly client: Conclave;
  readonly events: Reader;

  static async open(): Promise<Stage> {
    const world = await World.open();
    const events = new Reader(await world.client());
    await world.settle();
    return new Stage(world, await world.client(), events);
  }

  private constructor(world: World, client: Conclave, events: Reader) {
    this.world = world;
    this.client = client;
    this.events = events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.events[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
  }
}

describe('queue events', () => {
  it('tell of a job from its beginning to its end', async () => {
    await using stage = await Stage.open();
    const { world, client, events } = stage;
    const queue = client.queue('q');
    await queue.enqueue('x', { id: 'one', priority: 3 });
    const delivery = await queue.receive();
    await delivery.progress({ done: 1 });
    await delivery.ack('ready');
    await world.settle();
    expect(events.told).toEqual(['watching', 'enqueued one', 'started one', 'progress one', 'completed one']);
    expect(events.last('enqueued')).toMatchObject({ priority: 3 });
    expect(events.last('started')).toMatchObject({
      attempt: 1,
      holder: { ns: 'conclave' },
      fencingToken: delivery.fencingToken,
      revision: delivery.fencingToken,
    });
    expect(events.last('progress')).toMatchObject({ value: { done: 1 } });
    expect(events.last('completed')).toMatchObject({ result: 'ready' });
  });

  it('tell why a job waits again, and that it has become a dead letter', async () => {
    await using stage = await Stage.open();
    const { world, client, events } = stage;
    const queue = client.queue('q', { attempts: 2 });
    await queue.enqueue('x', { id: 'one' });
    await (await queue.receive())[Symbol.asyncDispose]();
    const delivery = await queue.receive();
    await delivery.retry({ delayMs: 500, error: 'not yet' });
    const next = queue.receive();
    await world.advance(1_000);
    await (await next).retry({ error: 'no' });
    await world.settle();
    expect(events.told.slice(1)).toEqual([
      'enqueued one',
      'started one',
      'returned one',
      'started one',
      'retrying one',
      'started one',
      'dead one',
    ]);
    expect(events.last('retrying')).toMatchObject({
      attempt: 1,
      error: 'not yet',
      until: expect.any(Date) as Date,
    });
    expect(events.last('started')).toMatchObject({ attempt: 2 });
    expect(events.last('dead')).toMatchObject({ reason: 'failed', error: 'no' });
  });

  it('tell of a lost worker', async () => {
    await using stage = await Stage.open();
    const { world, client, events } = stage;
    const lost = await world.client({ sessionTtlMs: 5_000 });
    await client.queue('q').enqueue('x', { id: 'one' });
    await lost.queue('q').receive();
    const next = client.queue('q').receive();
    world.crash(lost);
    await world.advance(10_000);
    await (await next).ack();
    await world.settle();
    expect(events.told.slice(1)).toEqual([
      'enqueued one',
      'started one',
      'crashed one',
      'started one',
      'completed one',
    ]);
    expect(events.last('crashed')).toMatchObject({ attempt: 1 });
    expect(events.last('started')).toMatchObject({ attempt: 2 });
  });

  it('tell of what is cancelled, whether anything of it is kept or not', async () => {
    await using stage = await Stage.open();
    const { world, client, events } = stage;
    for (const keepMs of [60_000, 0]) {
      const queue = client.queue('q', { keepMs });
      const [waits, runs] = [`waits ${keepMs}`, `runs ${keepMs}`];
      await queue.enqueue('x', { id: waits });
      await queue.cancel(waits);
      await queue.enqueue('x', { id: runs });
      const delivery = await queue.receive();
      await queue.cancel(runs);
      await world.settle();
      await world.run(delivery.retry());
      await world.settle();
      const mine = events.told.filter((each) => each.endsWith(` ${keepMs}`));
      expect(mine).toEqual([
        `enqueued ${waits}`,
        `cancelled ${waits}`,
        `enqueued ${runs}`,
        `started ${runs}`,
        `cancelling ${runs}`,
        `cancelled ${runs}`,
      ]);
    }
  });

  it('tell of a job that waits for its time once, of one that waits for its group once, and of a pause', async () => {
    await using stage = await Stage.open();
    const { world, client, events } = stage;
    const queue = client.queue('q');
    await queue.enqueue('x', { id: 'first' });
    const { enqueuedAt } = await queue.receive();
    await queue.pause();
    await queue.enqueueAll([
      { value: 1, id: 'a', group: 'g' },
      { value: 2, id: 'b', group: 'g', runAt: enqueuedAt.getTime() + 500 },
    ]);
    await queue.resume();
    const [first, second] = [queue.receive(), queue.receive()];
    await (await world.run(first)).ack();
    await world.advance(1_000);
    await (await world.run(second)).ack();
    await world.settle();
    expect(events.told.slice(3)).toEqual([
      'paused',
      'enqueued a',
      'enqueued b',
      'resumed',
      'started a',
      'completed a',
      'started b',
      'completed b',
    ]);
    expect(events.last('enqueued')).toMatchObject({
      group: 'g',
      until: new Date(enqueuedAt.getTime() + 500),
    });
  });

  it('tell each thing once, also if an answer is lost and the request is repeated', async () => {
    await using stage = await Stage.open();
    const { world, client, events } = stage;
    const queue = client.queue('q');
    await queue.enqueue('x', { id: 'one' });
    const delivery = await queue.receive();
    world.dropReply(client, { method: 'txn' });
    const done = delivery.ack();
    await world.run(done);
    world.dropReply(client, { method: 'txn' });
    await world.run(queue.enqueue('x', { id: 'two' }));
    expect(events.told.slice(1)).toEqual(['enqueued one', 'started one', 'completed one', 'enqueued two']);
  });

  it('tell of dead letters that are tried again or dropped', async () => {
    await using stage = await Stage.open();
    const { world, client, events } = stage;
    const queue = client.queue('q');
    for (const id of ['a', 'b']) {
      await queue.enqueue('x', { id });
      await (await queue.receive()).fail('no');
    }
    await queue.deadLetters.retry('a');
    await queue.deadLetters.drop('b');
    await world.settle();
    expect(events.told.slice(-2)).toEqual(['retried a', 'dropped b']);
  });

  it('go on after a broken stream, none left out', async () => {
    await using stage = await Stage.open();
    const { world, client, events } = stage;
    const queue = client.queue('q');
    for (const id of ['a', 'b', 'c']) {
      world.breakStreams(client, 'watch');
      await queue.enqueue('x', { id });
    }
    await world.advance(1_000);
    expect(events.told).toEqual(['watching', 'enqueued a', 'enqueued b', 'enqueued c']);
  });

  it('say that some are missing when the past was compacted away, and go on', async () => {
    await using world = await World.open();
    const [client, onlooker] = [await world.client(), await world.client()];
    await using events = new Reader(onlooker);
    const queue = client.queue('q');
    await world.settle();
    await queue.enqueue('x', { id: 'before' });
    await world.settle();
    world.partition(onlooker);
    await queue.enqueue('x', { id: 'lost' });
    const revision = world.compactUnderWatches(onlooker);
    await queue.enqueue('x', { id: 'after' });
    world.heal(onlooker);
    await world.advance(5_000);
    expect(events.told).toEqual(['watching', 'enqueued before', 'missed', 'enqueued after']);
    expect(events.last('missed')).toEqual({ kind: 'missed', revision });
  });

  it('send nothing before they are read, and end with the signal and with the Conclave', async () => {
    await using world = await World.open();
    const client = await world.client();
    const events = client.queue('q').events();
    await world.settle();
    expect(world.watches(client)).toEqual([]);
    expect((await world.run(events.next())).value).toMatchObject({ kind: 'watching' });
    expect(world.watches(client)).toHaveLength(1);
    await events.return();
    expect(world.watches(client)).toEqual([]);
    const stopped = new Reader(client);
    await world.settle();
    await stopped[Symbol.asyncDispose]();
    expect(await stopped.ended).toBe('enough');
    const cut = new Reader(client);
    await world.settle();
    await client.close();
    expect(await cut.ended).toMatchObject({ code: 'CLOSED' });
  });
});
