import { describe, expect, it } from 'vitest';
import { type Conclave, type LiveValue, toText } from '../../src/index.js';
import { TransportError } from '../../src/store/transport.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { fates, opened } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';
import { limits, limitsLater } from './limits.js';
import { Reader } from './reader.js';

const key = 'conclave/config/c';

const put = (world: World, value: unknown): Promise<unknown> => world.store.put(key, JSON.stringify(value));
const stored = async (world: World): Promise<unknown> => {
  const { kvs } = await world.store.get(key);
  return kvs[0] && (JSON.parse(toText(kvs[0].value)) as unknown);
};
const isSet = ({ then }: RequestTo<'txn'>): boolean =>
  then.some((op) => op.kind !== 'get' && op.kind !== 'txn' && toText(keyOf(op)) === key);
const keyOf = (op: RequestTo<'txn'>['then'][number]): Uint8Array =>
  op.kind === 'put' ? op.key : op.kind === 'remove' ? op.range.key : new Uint8Array();
const numbers = (client: Conclave): LiveValue<number> => client.config<number>('c');

describe('a live value', () => {
  it('sends nothing before it is asked, then one read and one watch for all who read, and nothing per change', async () => {
    await using world = await World.open();
    const client = await world.client();
    const value = client.config<number>('c', { fallback: 0 });
    expect(value.current).toBe(0);
    const changes = value.changes();
    await world.settle();
    expect(world.calls(client)).toEqual([]);

    await value.ready();
    const readers = [1, 2, 3].map(() => new Reader((options) => value.changes(options)));
    const first = changes.next();
    for (let i = 1; i <= 3; i++) await put(world, i);
    await world.settle();

    expect((await first).value).toBe(0);
    for (const { seen } of readers) expect(seen).toEqual([0, 1, 2, 3]);
    expect(world.calls(client).map(({ method }) => method)).toEqual(['get', 'watch']);
    await Promise.all(readers.map((each) => each.stop()));
    await changes.return();
  });

  it('stays as it is while the store is away, and says for how long it may be out of date', async () => {
    await using world = await World.open();
    const client = await world.client();
    const value = numbers(client);
    await put(world, 1);
    expect(value.staleMs).toBe(Infinity);
    await value.ready();
    const seen = new Reader((options) => value.changes(options));
    await world.advance(300_000);
    expect(value.staleMs).toBeLessThan(30_000);

    world.partition(client, { refuses: true });
    await put(world, 2);
    await put(world, 3);
    await world.advance(120_000);
    expect(value.current).toBe(1);
    expect(value.staleMs).toBeGreaterThan(115_000);
    expect(value.staleMs).toBeLessThan(150_000);
    world.heal(client);
    await world.advance(30_000);

    expect(seen.seen).toEqual([1, 2, 3]);
    expect(value.staleMs).toBeLessThan(30_000);
    await seen.stop();
  });

  it('waits for a store that is away, as long as it may', async () => {
    await using world = await World.open();
    const client = await world.client();
    await put(world, 1);
    const value = numbers(client);
    world.partition(client, { refuses: true });
    const impatient = outcome(value.ready({ timeoutMs: 1_000 }));
    const ready = value.ready();
    await world.advance(60_000);
    expect(await impatient).toMatchObject({ code: 'WAIT_TIMEOUT' });
    world.heal(client);
    await world.run(ready);
    expect(value.current).toBe(1);
  });

  it('is not updated in time if the store is away, and says that it was the time', async () => {
    await using world = await World.open();
    const client = await world.client();
    await put(world, 1);
    world.partition(client);
    const told = outcome(numbers(client).update((value) => value + 1, { timeoutMs: 1_000 }));
    expect(await world.run(told)).toMatchObject({ code: 'WAIT_TIMEOUT', waitedMs: 1_000 });
    expect(await stored(world)).toBe(1);
  });

  it('skips what was compacted away, ends at the latest, and repeats neither value nor problem', async () => {
    await using world = await World.open();
    const client = await world.client();
    const value = client.config('c', { schema: limits });
    await put(world, { rate: 1 });
    await value.ready();
    const [seen, problems] = [
      new Reader((options) => value.changes(options)),
      new Reader((options) => value.errors(options)),
    ];
    await put(world, 'bad');
    await world.settle();
    world.compactUnderWatches(client);
    await world.advance(5_000);
    expect(problems.seen).toHaveLength(1);

    world.partition(client, { refuses: true });
    await put(world, { rate: 2 });
    await put(world, { rate: 3 });
    await world.store.put('elsewhere', '');
    world.compact();
    world.heal(client);
    await world.advance(5_000);
    world.breakStreams(client, 'watch');
    await put(world, { rate: 4 });
    await world.advance(5_000);

    expect(seen.seen.map(({ rate }) => rate)).toEqual([1, 3, 4]);
    expect(problems.seen).toHaveLength(1);
    await Promise.all([seen.stop(), problems.stop()]);
  });

  it('is told to a slow reader as it was, but no more than 64 changes of it, the latest always', async () => {
    await using world = await World.open();
    const client = await world.client();
    const value = client.config<number>('c', { fallback: 0 });
    const slow = value.changes();
    expect((await slow.next()).value).toBe(0);
    for (let i = 1; i <= 100; i++) await put(world, i);
    await world.settle();
    expect(value.current).toBe(100); // nobody is kept waiting

    const told: unknown[] = [];
    for await (const each of slow) if (told.push(each) && each === 100) break;

    expect(told).toEqual(Array.from({ length: 64 }, (_, i) => 37 + i));
    const late = new Reader((options) => value.changes(options));
    await world.settle();
    expect(late.seen).toEqual([100]);
    await late.stop();
  });

  it('is not told twice to a reader that has been spared what was between', async () => {
    await using world = await World.open();
    const value = (await world.client()).config<number>('c', { fallback: 0 });
    const slow = value.changes();
    await slow.next();
    for (let i = 1; i <= 65; i++) await put(world, i % 2); // 1, 0, 1 ... the first one is left out
    await put(world, 5);
    await put(world, 6);
    await world.settle();
    const told: unknown[] = [0];
    for await (const each of slow) if (told.push(each) && each === 6) break;
    expect(told.filter((each, i) => each === told[i - 1])).toEqual([]);
  });

  it('says that it may not be read any more, keeps the last value, and goes on when it may', async () => {
    await using world = await World.open();
    const client = await world.client();
    const value = numbers(client);
    await put(world, 1);
    await value.ready();
    const readers = [new Reader((o) => value.changes(o)), new Reader((o) => value.errors(o))];
    await world.settle();

    const allow = forbid(world);
    world.compactUnderWatches(client);
    await world.advance(1_000);

    for (const each of readers) expect(await each.ended).toMatchObject({ code: 'AUTH' });
    expect(value.current).toBe(1);
    const again = new Reader((options) => value.changes(options));
    await world.advance(6_000);
    expect(again.seen).toEqual([1]);
    expect(await again.ended).toMatchObject({ code: 'AUTH' });
    const fresh = client.config('c', { fallback: 0 });
    expect(await outcome(fresh.ready())).toMatchObject({ code: 'AUTH' });
    allow();
    await put(world, 2);
    await world.advance(6_000);
    expect(value.current).toBe(2);
    expect(fresh.current).toBe(2);
  });

  it('ends with ClosedError for all who read it or wait, and with its Conclave', async () => {
    await using world = await World.open();
    const client = await world.client();
    const value = client.config<number>('c', { fallback: 0 });
    await value.ready();
    const [changes, errors] = [new Reader((o) => value.changes(o)), new Reader((o) => value.errors(o))];
    await world.settle();
    await value[Symbol.asyncDispose]();
    await value.close();
    for (const each of [changes, errors]) expect(await each.ended).toMatchObject({ code: 'CLOSED' });
    await world.settle();
    expect(world.watches(client)).toHaveLength(0);
    expect(value.current).toBe(0);
    expect(await outcome(value.ready())).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(value.changes().next())).toMatchObject({ code: 'CLOSED' });

    const other = client.config<number>('d', { fallback: 0 });
    const reader = new Reader((options) => other.changes(options));
    await world.settle();
    await world.run(client.close());
    expect(await reader.ended).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(other.ready())).toMatchObject({ code: 'CLOSED' });
  });

  it('closes although its schema never answers', async () => {
    await using world = await World.open();
    const client = await world.client();
    await put(world, 1);
    const never = { version: 1, vendor: 'test', validate: () => new Promise<never>(() => {}) } as const;
    const value = client.config('c', { schema: { '~standard': never } });
    const ready = outcome(value.ready());
    await world.settle();
    await value.close();
    expect(await ready).toMatchObject({ code: 'CLOSED' });
  });

  it('ends a reader by break and by its signal, and goes on for the others', async () => {
    await using world = await World.open();
    const value = (await world.client()).config<number>('c', { fallback: 0 });
    for await (const first of value.changes()) {
      expect(first).toBe(0);
      break;
    }
    const other = new Reader((options) => value.changes(options));
    const aborted = new AbortController();
    const waiting = value.changes({ signal: aborted.signal });
    await waiting.next();
    const next = outcome(waiting.next());
    aborted.abort('enough');
    expect(await next).toBe('enough');
    expect(await outcome(value.errors({ signal: aborted.signal }).next())).toBe('enough');
    await put(world, 1);
    await world.settle();
    expect(other.seen).toEqual([0, 1]);
    await other.stop();
  });

  it('refuses a fallback that the schema refuses', async () => {
    await using world = await World.open();
    const client = await world.client();
    const bad = { rate: 'x' } as never;
    expect(() => client.config('c', { schema: limits, fallback: bad })).toThrow('the fallback of config "c"');
    const later = client.config('c', { schema: limitsLater, fallback: bad });
    expect(await outcome(later.ready())).toMatchObject({ code: 'INVALID_VALUE' });
    expect(await outcome(later.changes().next())).toMatchObject({ code: 'INVALID_VALUE' });
    expect(() => later.current).toThrow('the fallback of config "c"');
    const good = client.config('c', { schema: limitsLater, fallback: { rate: 1 } });
    await good.ready();
    expect(good.current).toEqual({ rate: 1, burst: 1 });
  });

  it('is frozen, and the same object until another value counts', async () => {
    await using world = await World.open();
    const fallback = { list: [1] };
    const value = (await world.client()).config<{ list: number[] }>('c', { fallback });
    await value.ready();
    fallback.list.push(2);
    expect(value.current).toEqual({ list: [1] });
    expect(() => value.current.list.push(3)).toThrow(TypeError);
    await put(world, { list: [4] });
    await world.settle();
    const { current } = value;
    await put(world, { list: [4] });
    await world.settle();
    expect(value.current).toBe(current);
    expect(() => current.list.push(3)).toThrow(TypeError);
  });

  it('refuses bad arguments before anything is sent', async () => {
    await using world = await World.open();
    const client = await world.client();
    const value = client.config<number>('c', { fallback: 0 });
    expect(() => client.config('', {})).toThrow(TypeError);
    expect(() => client.config('c', { fallbak: 1 } as never)).toThrow('fallbak');
    expect(() => client.config('c', { schema: {} } as never)).toThrow('Standard Schema');
    for (const options of [{ ifRevision: 1 }, { force: 1 }, { force: true, ifRevision: 1n }, { no: 1 }, null])
      expect(await outcome(value.set(1, options as never))).toBeInstanceOf(TypeError);
    expect(await outcome(value.ready({ timeoutMs: -1 }))).toBeInstanceOf(RangeError);
    expect(await outcome(value.changes({ signal: 1 } as never).next())).toBeInstanceOf(TypeError);
    expect(await outcome(value.set('x'.repeat(1_000_000) as never))).toBeInstanceOf(RangeError);
    expect(await outcome(client.settings('s').set('', 1))).toBeInstanceOf(TypeError);
    expect(world.calls(client)).toEqual([]);
  });
});

describe.each(fates)('a request %s', (_, strike) => {
  const ttlMs = 12_000;

  it('sets a value once, and never again over a newer one', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    const fault = strike(world, a, { method: 'txn', where: isSet });

    const revision = await world.run(numbers(a).set(1));

    expect(fault.hasFired).toBe(true);
    const newer = numbers(b);
    await newer.ready();
    expect([newer.current, newer.revision]).toEqual([1, revision]);
    await newer.clear();
    await newer.set(2);
    await newer.clear();
    await world.advance(30_000);
    expect(await stored(world)).toBeUndefined();
  });

  it('forced upon a value does so once', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    const fault = strike(world, a, { method: 'txn', where: isSet });
    await world.run(numbers(a).set(1, { force: true }));
    expect(fault.hasFired).toBe(true);
    await numbers(b).set(2, { force: true });
    await world.advance(30_000);
    expect(await stored(world)).toBe(2);
  });

  it('updates a value once', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    await put(world, 10);
    const fault = strike(world, a, { method: 'txn', where: isSet });
    const updating = numbers(a).update((value) => value + 1);
    await world.run(Promise.all([updating, numbers(b).update((value) => value + 1)]));
    expect(fault.hasFired).toBe(true);
    expect(await stored(world)).toBe(12);
    await world.advance(30_000);
    expect(await stored(world)).toBe(12);
  });

  it('deletes a value once, and no later one', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    await put(world, 1);
    const value = numbers(a);
    await value.ready();
    const fault = strike(world, a, { method: 'txn', where: isSet });
    await world.run(value.clear());
    expect(fault.hasFired).toBe(true);
    await numbers(b).set(2);
    await world.advance(30_000);
    expect(await stored(world)).toBe(2);
  });
});

/** Nobody may read it, until what is returned is called. */
function forbid(world: World): () => void {
  const { engine } = world;
  const execute = engine.execute.bind(engine);
  engine.execute = ((method, request) => {
    if (method === 'get' && toText((request as { range: { key: Uint8Array } }).range.key) === key)
      throw new TransportError('permission-denied', 'etcdserver: permission denied');
    return execute(method, request);
  }) satisfies typeof engine.execute;
  return () => (engine.execute = execute);
}
