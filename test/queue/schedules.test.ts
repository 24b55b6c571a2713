import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { type Conclave, prefix, type Queue } from '../../src/index.js';
import { type Peer, World } from '../../src/testing/index.js';

/** When worlds begin. */
const start = Date.parse('2023-11-14T22:13:20.000Z');
const iso = (ms: number): string => new Date(ms).toISOString();
const minute = 60_000;

/** What the schedule `s` has put, and nobody has done yet. */
async function waiting(world: World): Promise<string[]> {
  const { kvs } = await world.store.get(prefix('conclave/queue/q/job/'));
  return kvs.map(({ key }) => decodeURIComponent(Buffer.from(key).toString().split('/').at(-1) ?? '')).sort();
}

/** How often each job was begun by workers of these queues. */
function workedOn(...queues: readonly Queue[]): {
  runs: Record<string, number>;
  stop: () => Promise<unknown>;
} {
  const stop = new AbortController();
  const runs: Record<string, number> = {};
  const working = queues.map((queue) =>
    queue.work(({ id }) => void (runs[id] = (runs[id] ?? 0) + 1), { signal: stop.signal }).catch(() => {}),
  );
  return {
    runs,
    stop: () => {
      stop.abort();
      return Promise.all(working);
    },
  };
}

function firesOf(name: string, ...instants: readonly number[]): Record<string, number> {
  return Object.fromEntries(instants.map((instant) => [`${name}@${iso(instant)}`, 1]));
}

/** Replaces a schedule. */
const isFiring = ({ then: [first] }: { then: readonly { kind: string; key?: Uint8Array }[] }): boolean =>
  first?.kind === 'put' && Buffer.from(first.key ?? []).includes('/schedule/');

describe('a schedule', () => {
  it('puts its value at each of its instants, with the options it was given', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    const schedule = await queue.schedule(
      's',
      { cron: '*/5 * * * *' },
      { x: 1 },
      { priority: 7, attempts: 5, backoff: { minMs: 5, maxMs: 10 }, group: 'g' },
    );

    expect(schedule.next).toEqual(new Date('2023-11-14T22:15:00Z'));
    await world.advance(100_000);
    const delivery = await queue.receive({ timeoutMs: 0 });
    expect(delivery).toMatchObject({ id: 's@2023-11-14T22:15:00.000Z', value: { x: 1 }, attempt: 1 });
    await delivery.ack();
    await world.advance(5 * minute);

    expect(await waiting(world)).toEqual(['s@2023-11-14T22:20:00.000Z']);
    expect(await queue.schedules()).toEqual([
      {
        name: 's',
        cron: '*/5 * * * *',
        timeZone: 'UTC',
        everyMs: undefined,
        value: { x: 1 },
        catchUp: 'last',
        priority: 7,
        attempts: 5,
        backoff: { minMs: 5, maxMs: 10 },
        group: 'g',
        last: new Date('2023-11-14T22:20:00Z'),
        next: new Date('2023-11-14T22:25:00Z'),
      },
    ]);
  });

  it('by an interval fires one interval after it was put, and so on', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await world.advance(1_234);
    await queue.schedule('s', { everyMs: 10_000 }, 'x');
    const worker = workedOn(queue);

    await world.advance(35_000);

    const put = start + 1_234;
    expect(worker.runs).toEqual(firesOf('s', put + 10_000, put + 20_000, put + 30_000));
    await worker.stop();
  });

  it('costs no request until it is due', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.queue('q').schedule('s', { everyMs: 10 * minute }, 'x');
    await world.advance(minute);
    const ranges = (): number =>
      world.calls(client).filter((call) => JSON.stringify(call, textual).includes('schedule/')).length;
    const before = ranges();

    await world.advance(8 * minute);

    expect(ranges()).toBe(before);
  });

  it('in a time zone fires at 02:30 on both days on which the clocks are changed, once', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    const worker = workedOn(queue);
    const setWall = (text: string): void =>
      world.jumpWall(client, Date.parse(text) - (start + world.now() + jumped));
    let jumped = 0;
    const goTo = async (text: string): Promise<void> => {
      setWall(text);
      jumped = Date.parse(text) - (start + world.now());
      await world.advance(30_000);
    };
    await goTo('2026-03-28T12:00:00Z');
    await queue.schedule('s', { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }, 'x');
    await goTo('2026-03-29T00:59:50Z');
    await goTo('2026-03-29T01:29:50Z');
    await goTo('2026-03-30T00:29:50Z');
    await goTo('2026-10-25T00:29:50Z');
    await goTo('2026-10-25T01:29:50Z');
    await goTo('2026-10-26T01:29:50Z');

    expect(Object.keys(worker.runs)).toEqual([
      's@2026-03-29T01:00:00.000Z',
      's@2026-03-30T00:30:00.000Z',
      's@2026-10-25T00:30:00.000Z',
      's@2026-10-26T01:30:00.000Z',
    ]);
    await worker.stop();
  });

  it('that every process puts when it starts is not begun anew, nor written', async () => {
    await using world = await World.open();
    const put = (client: Conclave): Promise<unknown> =>
      client.queue('q').schedule('s', { everyMs: minute }, { a: [1], b: undefined }, { group: 'g' });
    await put(await world.client());
    await world.advance(90_000);
    const { revision } = world;

    await put(await world.client());

    expect(
      (await world.store.get(prefix('conclave/queue/q/schedule/'))).kvs[0]?.modRevision,
    ).toBeLessThanOrEqual(revision);
    await world.advance(40_000);
    expect(await waiting(world)).toEqual([`s@${iso(start + minute)}`, `s@${iso(start + 2 * minute)}`]);
  });

  it('with another value keeps its instants, and the next job has that value', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.schedule('s', { everyMs: minute }, 'old');
    await world.advance(50_000);

    await queue.schedule('s', { everyMs: minute }, 'new');

    await world.advance(11_000);
    expect(await queue.receive({ timeoutMs: 0 })).toMatchObject({
      id: `s@${iso(start + minute)}`,
      value: 'new',
    });
  });

  it('with another timing begins at once, and makes up for nothing of the old one', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.schedule('s', { everyMs: 60 * minute }, 'x');
    await world.advance(minute);

    await queue.schedule('s', { everyMs: 10_000 }, 'x');

    await world.advance(11_000);
    expect(await waiting(world)).toEqual([`s@${iso(start + minute + 10_000)}`]);
  });

  it('with another timing, put by a process whose clock is behind, does not fire again what has fired', async () => {
    await using world = await World.open();
    const [first, behind] = [await world.client(), await world.client()];
    const queue = first.queue('q', { keepMs: 0 });
    const worker = workedOn(queue);
    await queue.schedule('s', { cron: '*/2 * * * *' }, 'x');
    await world.advance(50_000);
    world.jumpWall(behind, -30_000);

    await behind.queue('q', { keepMs: 0 }).schedule('s', { cron: '* * * * *' }, 'x');

    await world.advance(60_000);
    expect(worker.runs).toEqual(firesOf('s', start + 40_000, start + 100_000));
    await worker.stop();
  });

  it('that is put after the history behind the watch was compacted away fires in time', async () => {
    await using world = await World.open();
    const [first, other] = [await world.client(), await world.client()];
    await first.queue('q').schedule('rare', { everyMs: 60 * minute }, 'x');
    await world.advance(31_000);
    world.compactUnderWatches(first);
    await world.advance(1_000);

    await other.queue('q').schedule('s', { everyMs: 2_000 }, 'x');

    await world.advance(2_500);
    expect(await waiting(world)).toEqual([`s@${iso(start + 34_000)}`]);
  });

  it('that is put by many at a time is one schedule', async () => {
    await using world = await World.open();
    const clients = await Promise.all(Array.from({ length: 4 }, () => world.client()));
    await world.run(
      Promise.all(clients.map((client) => client.queue('q').schedule('s', { everyMs: minute }, 'x'))),
    );

    await world.advance(61_000);

    expect(await waiting(world)).toEqual([`s@${iso(start + minute)}`]);
  });

  it('puts its jobs also in a queue that is full, for nobody would hear of it', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q', { maxSize: 1 });
    await queue.enqueue('x', { id: 'a' });
    await queue.schedule('s', { everyMs: minute }, 'x');

    await world.advance(61_000);

    expect(await waiting(world)).toEqual(['a', `s@${iso(start + minute)}`]);
    await expect(queue.enqueue('y')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });

  it('runs one job at a time in a group of its own', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.schedule('s', { everyMs: 10_000 }, 'x', { group: 's' });

    await world.advance(31_000);

    expect(await queue.inspect()).toMatchObject({ ready: 1, grouped: 2 });
  });

  it('fires no more once it is taken back; what it has put stays', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.schedule('s', { everyMs: 10_000 }, 'x');
    await world.advance(11_000);

    expect(await queue.unschedule('s')).toBe(true);

    expect(await queue.unschedule('s')).toBe(false);
    expect(await queue.schedules()).toEqual([]);
    await world.advance(30_000);
    expect(await waiting(world)).toEqual([`s@${iso(start + 10_000)}`]);
  });

  it.each([
    ['of another program', 'hello'],
    ['of a newer version', '{"v":2}'],
    [
      'with a timing that this version cannot read',
      '{"v":1,"timing":{"cron":"? # %","timeZone":"UTC"},"catchUp":"last","job":{"priority":0},"since":0,"upTo":0}',
    ],
    [
      'that is spoilt',
      '{"v":1,"timing":{"everyMs":1000},"catchUp":"last","job":null,"since":1700000000000,"upTo":1700000000000}',
    ],
  ])('%s keeps no other one from firing', async (_, stored) => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await world.store.put('conclave/queue/q/schedule/alien', stored);
    await queue.schedule('s', { everyMs: 10_000 }, 'x');

    await world.advance(11_000);

    expect(await waiting(world)).toEqual([`s@${iso(start + 10_000)}`]);
  });

  it('is refused before any I/O if anything about it is wrong', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q', { schema: v.string() });
    const when = { everyMs: 1_000 };

    await expect(queue.schedule('', when, 'x')).rejects.toThrow(TypeError);
    await expect(queue.schedule('x'.repeat(500), when, 'x')).rejects.toThrow(RangeError);
    await expect(queue.schedule('s', { cron: 'often' }, 'x')).rejects.toThrow(
      /queue "q": schedule "s": cron "often"/,
    );
    await expect(queue.schedule('s', when, 5 as never)).rejects.toMatchObject({ code: 'INVALID_VALUE' });
    await expect(queue.schedule('s', when, 'x'.repeat(400_000))).rejects.toThrow('at most 400000');
    await expect(queue.schedule('s', when, 'x', { catchUp: 'some' as never })).rejects.toThrow(
      'none, last, all',
    );
    await expect(queue.schedule('s', when, 'x', { id: 'i' } as never)).rejects.toThrow('unknown option "id"');
    await expect(queue.schedule('s', when, 'x', { priority: 10 })).rejects.toThrow(RangeError);
    await expect(queue.unschedule('')).rejects.toThrow(TypeError);
    await client.close();
    await expect(queue.schedule('s', when, 'x')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(queue.schedules()).rejects.toMatchObject({ code: 'CLOSED' });

    expect(world.calls(client)).toEqual([]);
  });
});

describe('each instant is fired once', () => {
  let world: World;
  let first: Conclave;
  let second: Conclave;
  let worker: ReturnType<typeof workedOn>;
  /** Nothing reminds the queue of ids: a second job of an instant would be worked on. */
  const queueOf = (client: Conclave): Queue => client.queue('q', { keepMs: 0 });
  const instants = (count: number): number[] =>
    Array.from({ length: count }, (_, i) => start + (i + 1) * 10_000);

  beforeEach(async () => {
    world = await World.open();
    first = await world.client({ sessionTtlMs: 5_000 });
    second = await world.client({ sessionTtlMs: 5_000 });
    await queueOf(first).schedule('s', { everyMs: 10_000 }, 'x', { catchUp: 'all' });
    await world.settle();
    await queueOf(second).schedule('s', { everyMs: 10_000 }, 'x', { catchUp: 'all' });
    worker = workedOn(queueOf(second));
    await world.advance(11_000); // the first one makes the lane, too: a copy of it is refused in any case
  });

  afterEach(async () => {
    await worker.stop();
    await world[Symbol.asyncDispose]();
  });

  it('by one of two', async () => {
    await world.advance(40_000);
    expect(worker.runs).toEqual(firesOf('s', ...instants(5)));
  });

  it.each(['queue.fire', 'queue.fired'] as const)('though the one that does it dies at %s', async (probe) => {
    const fault = world.onProbe(probe, (peer: Peer) => world.crash(peer), { client: first });
    await world.advance(40_000);
    fault.cancel();
    expect(worker.runs).toEqual(firesOf('s', ...instants(5)));
  });

  it('though the one that does it stands still, and goes on when another has taken over', async () => {
    const fault = world.onProbe('queue.fire', (peer: Peer) => world.pause(peer), { client: first });
    await world.advance(30_000);
    fault.cancel();
    world.resume(first);
    await world.advance(10_000);
    expect(worker.runs).toEqual(firesOf('s', ...instants(5)));
  });

  it('though its answer is lost', async () => {
    const fault = world.dropReply(first, { method: 'txn', where: isFiring });
    await world.advance(40_000);
    expect(fault.hasFired).toBe(true);
    expect(worker.runs).toEqual(firesOf('s', ...instants(5)));
  });

  it('though a copy of the request arrives later', async () => {
    const fault = world.repeatRequest(first, { method: 'txn', where: isFiring, ms: 15_000 });
    await world.advance(40_000);
    expect(fault.hasFired).toBe(true);
    expect(worker.runs).toEqual(firesOf('s', ...instants(5)));
  });

  it('though the request arrives only when the schedule is gone, and another has its name', async () => {
    const fault = world.delayRequest(first, { method: 'txn', where: isFiring, ms: 3_000 });
    world.onProbe('queue.fired', (peer: Peer) => world.pause(peer), { client: first });
    await world.advance(9_001);
    await queueOf(second).unschedule('s');
    await queueOf(second).schedule('s', { everyMs: 60 * minute }, 'other');
    await world.advance(20_000);
    expect(fault.hasFired).toBe(true);
    expect(worker.runs).toEqual(firesOf('s', ...instants(1)));
  });

  it('though the clock of the one that does it goes back', async () => {
    await world.advance(10_000);
    world.jumpWall(first, -15_000);
    await world.advance(30_001);
    // At the second 51 its clock shows 36.
    expect(worker.runs).toEqual(firesOf('s', ...instants(3)));
  });

  it('though it was found that the store had no space', async () => {
    world.engine.noSpace = true;
    await world.advance(14_000);
    expect(worker.runs).toEqual(firesOf('s', ...instants(1)));
    world.engine.noSpace = false;
    await world.advance(30_000);
    expect(worker.runs).toMatchObject(firesOf('s', ...instants(4)));
  });
});

describe('what was missed while nobody was there', () => {
  /** A schedule every 10 minutes is put, all go away, and one comes back an hour later. */
  async function anHourLater(
    catchUp: 'none' | 'last' | 'all',
    awayMs = 60 * minute + 300_000,
  ): Promise<string[]> {
    await using world = await World.open();
    const first = await world.client();
    await first.queue('q').schedule('s', { everyMs: 10 * minute }, 'x', { catchUp });
    await first.close();
    await world.advance(awayMs);
    const second = await world.client();
    const queue = second.queue('q', { maxRunning: 1 });
    await expect(queue.receive({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
    await world.advance(1_000);
    return await waiting(world);
  }
  const at = (minutes: number): string => `s@${iso(start + minutes * minute)}`;

  it('is left out by "none"', async () => {
    expect(await anHourLater('none')).toEqual([]);
  });

  it('is not missed yet for a minute', async () => {
    expect(await anHourLater('none', 60 * minute + 50_000)).toEqual([at(60)]);
  });

  it('is made up for by its latest by "last"', async () => {
    expect(await anHourLater('last')).toEqual([at(60)]);
  });

  it('is made up for completely by "all", in order', async () => {
    expect(await anHourLater('all')).toEqual([10, 20, 30, 40, 50, 60].map(at));
  });

  it('is made up for by the latest 100 by "all"', async () => {
    const fired = await anHourLater('all', 150 * 10 * minute);
    expect(fired).toEqual(Array.from({ length: 100 }, (_, i) => at((51 + i) * 10)));
  });

  it('includes what the clock has jumped over', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    await queue.schedule('all', { everyMs: 10 * minute }, 'x', { catchUp: 'all' });
    await queue.schedule('last', { everyMs: 10 * minute }, 'x');
    await queue.schedule('none', { everyMs: 10 * minute }, 'x', { catchUp: 'none' });
    await world.advance(1_000);

    world.jumpWall(client, 35 * minute);
    await world.advance(11_000);

    const fired = (name: string, minutes: number): string => `${name}@${iso(start + minutes * minute)}`;
    expect(await waiting(world)).toEqual([
      fired('all', 10),
      fired('all', 20),
      fired('all', 30),
      fired('last', 30),
    ]);
  });

  it('is taken in the order of its instants', async () => {
    await using world = await World.open();
    const first = await world.client();
    await first.queue('q').schedule('s', { everyMs: minute }, 'x', { catchUp: 'all' });
    await first.close();
    await world.advance(60 * minute + 1_000);
    const queue = (await world.client()).queue('q');
    const worker = workedOn(queue);
    await world.advance(2_000);
    const minutes = Array.from({ length: 60 }, (_, i) => i + 1);
    expect(Object.keys(worker.runs)).toEqual(minutes.map(at));
    await worker.stop();
  });
});

function textual(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  return typeof value === 'bigint' ? String(value) : value;
}
