import { describe, expect, it } from 'vitest';
import { AuthError, ClosedError, CompactedError, put, remove } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { compareWith, sightings } from '../../src/election/observe.js';
import type { KeyValue } from '../../src/index.js';
import type { Connection } from '../../src/session/connection.js';
import { lineOf } from '../../src/session/line-kinds.js';
import type { LineState } from '../../src/session/line.js';
import { lineUp, Observer, outcome } from './fixture.js';

describe('observe', () => {
  it('tells of nobody, of a leader, of every value it proclaims, and of nobody again', async () => {
    await using world = await World.open();
    const observer = new Observer((await world.client()).election('e'));
    await world.settle();

    const leadership = await (await world.client()).election('e').campaign('a');
    await leadership.proclaim('b');
    await leadership.proclaim('c');
    await leadership.resign();
    await world.settle();

    expect(observer.values).toEqual([undefined, 'a', 'b', 'c', undefined]);
    expect(observer.seen[1]?.leader).toEqual({
      value: 'a',
      key: leadership.key,
      fencingToken: leadership.fencingToken,
    });
    expect(observer.seen[1]?.revision).toBe(leadership.fencingToken);
    expect(await observer.stop()).toBe('enough');
  });

  it('tells of the present leader first, and of no candidate that waits', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client(), await world.client()];
    await using leadership = await one.election('e').campaign('a');
    const stop = new AbortController();
    const waiting = outcome(two.election('e').campaign('b', { signal: stop.signal }));
    await world.settle();

    const observer = new Observer(two.election('e'));
    await world.settle();
    stop.abort('no more');
    await waiting;
    await world.settle();

    expect(observer.seen).toEqual([
      {
        leader: expect.objectContaining({ key: leadership.key }) as unknown,
        revision: expect.anything() as unknown,
      },
    ]);
    await observer.stop();
  });

  it('does not tell twice of the same leader with the same value: a wish to hand over is not news', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client(), await world.client()];
    const leadership = await one.election('e').campaign('a');
    const observer = new Observer(two.election('e'));
    const next = two.election('e').campaign('b');
    await world.settle();
    const [, candidate] = await two.election('e').candidates();

    await leadership.transferTo(candidate?.key ?? '');
    await (await next).resign();
    await world.settle();

    expect(observer.values).toEqual(['a', 'b', undefined]);
    await observer.stop();
  });

  it('misses no change although a candidate beside it knows more already', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client(), await world.client()];
    const first = await one.election('e').campaign('a');
    const observer = new Observer(two.election('e'));
    await (await two.election('warm-up').campaign('')).resign();
    world.lagWatches(two, 500);

    await first.resign(); // told of half a second later
    const second = await one.election('e').campaign('b');
    const next = two.election('e').campaign('c'); // the answer to its take shows the line as it is now
    await world.advance(2_000);
    await second.resign();
    await world.advance(2_000);

    expect(observer.values).toEqual(['a', undefined, 'b', 'c']);
    await (await next).resign();
    await observer.stop();
  });

  it('misses no change between what it reads at first and its watch', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client(), await world.client()];
    const leadership = await one.election('e').campaign('a');
    world.delayReply(two, { method: 'get', ms: 500 });
    const observer = new Observer(two.election('e'));
    await world.settle();

    await leadership.resign();
    await using next = await one.election('e').campaign('b');
    await world.advance(2_000);

    expect(next.value).toBe('b');
    expect(observer.values).toEqual(['a', undefined, 'b']);
    await observer.stop();
  });

  it('misses no change while the store is away, and tells of it in order when it is back', async () => {
    await using world = await World.open();
    const [one, away] = [await world.client({ sessionTtlMs: 600_000 }), await world.client()];
    const leadership = await one.election('e').campaign('a');
    const observer = new Observer(away.election('e'));
    await world.settle();

    world.partition(away, { refuses: true });
    await leadership.proclaim('b');
    await leadership.resign();
    await world.advance(180_000);
    await using next = await one.election('e').campaign('c');
    expect(observer.values).toEqual(['a']);
    world.heal(away);
    await world.advance(5_000);

    expect(next.value).toBe('c');
    expect(observer.values).toEqual(['a', 'b', undefined, 'c']);
    await observer.stop();
  });

  it('begins although the store is away, and waits for it', async () => {
    await using world = await World.open();
    const [one, away] = [await world.client(), await world.client()];
    await using leadership = await one.election('e').campaign('a');
    world.partition(away, { refuses: true });

    const observer = new Observer(away.election('e'));
    await world.advance(120_000);
    world.heal(away);
    await world.advance(10_000);

    expect(leadership.isHeld()).toBe(true);
    expect(observer.values).toEqual(['a']);
    await observer.stop();
  });

  it('may leave out what was compacted away, and invents nothing', async () => {
    await using world = await World.open();
    const [one, away] = [await world.client({ sessionTtlMs: 600_000 }), await world.client()];
    const leadership = await one.election('e').campaign('a');
    const observer = new Observer(away.election('e'));
    await world.settle();

    world.partition(away, { refuses: true });
    await leadership.proclaim('b');
    await leadership.proclaim('c');
    await world.store.put('elsewhere', 'x');
    world.compact();
    world.heal(away);
    await world.advance(5_000);
    await leadership.resign();
    await world.settle();

    expect(observer.values).toEqual(['a', 'c', undefined]);
    await observer.stop();
  });

  it('does not repeat itself when its watch was compacted away and nothing has changed', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client({ sessionTtlMs: 600_000 }), await world.client()];
    await using leadership = await one.election('e').campaign('a');
    const observer = new Observer(two.election('e'));
    await world.settle();

    world.compactUnderWatches(two);
    await world.advance(5_000);
    await leadership.proclaim('b');
    await world.settle();

    expect(observer.values).toEqual(['a', 'b']);
    await observer.stop();
  });

  it('goes on over broken streams', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client(), await world.client()];
    const leadership = await one.election('e').campaign('0');
    const observer = new Observer(two.election('e'));
    await world.settle();

    for (let i = 1; i <= 5; i++) {
      world.breakStreams(two, 'watch');
      await leadership.proclaim(String(i));
      await world.advance(1_500);
    }

    expect(observer.values).toEqual(['0', '1', '2', '3', '4', '5']);
    await leadership.resign();
    await observer.stop();
  });

  it('does not take a watch that is late for one that has lost something', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client({ sessionTtlMs: 600_000 }), await world.client()];
    const observer = new Observer(two.election('e'));
    await world.settle();
    await world.advance(250); // a look falls between two changes
    world.lagWatches(two, 1_700);

    for (let i = 0; i < 40; i++) {
      const leadership = await one.election('e').campaign(String(i));
      await world.advance(500);
      await leadership.resign();
      await world.advance(500);
    }
    await world.advance(2_000);

    const values = Array.from({ length: 40 }, (_, i) => [String(i), undefined]).flat();
    expect(observer.values).toEqual([undefined, ...values]);
    await observer.stop();
  });

  it('lets a slow reader fall behind by thousands, without keeping them all, and leaves out none', async () => {
    await using world = await World.open();
    const [one, slow] = [await world.client(), await world.client()];
    const leadership = await one.election('e').campaign('0');
    const observing = slow.election('e').observe();
    const read = async (): Promise<string | undefined> => {
      const { value } = await observing.next();
      return value ? value.leader?.value : undefined;
    };
    expect(await read()).toBe('0');
    const first = read();
    await leadership.proclaim('1');
    expect(await first).toBe('1');

    for (let i = 2; i <= 2_500; i++) await leadership.proclaim(String(i));
    await world.settle();
    expect(world.watches(slow)).toHaveLength(0); // it has stopped reading

    for (let i = 2; i <= 2_500; i++) expect(await read()).toBe(String(i));
    await observing.return();
    await leadership.resign();
  });

  it('never goes backwards, and tells nothing twice, whatever happens to its streams', async () => {
    await using world = await World.open({ seed: 7 });
    const [one, two] = [await world.client({ sessionTtlMs: 600_000 }), await world.client()];
    const observer = new Observer(two.election('e'));
    const told: (string | undefined)[] = [undefined];
    world.lagWatches(two, [0, 300]);
    await world.advance(1_000);
    for (let round = 0; round < 60; round++) {
      const leadership = await one.election('e').campaign(`${round}`);
      await leadership.proclaim(`${round}'`);
      if (round % 7 === 3) world.breakStreams(two, 'watch');
      if (round % 20 === 5) world.compactUnderWatches(two);
      await world.advance(100);
      await leadership.resign();
      told.push(`${round}`, `${round}'`, undefined);
    }
    await world.advance(60_000);

    const revisions = observer.seen.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => (a < b ? -1 : 1)));
    // What is told is a part of what was, in its order.
    let at = 0;
    for (const value of observer.values) at = told.indexOf(value, at) + 1 || Infinity;
    expect(at).toBeLessThanOrEqual(told.length);
    expect(observer.values.at(-1)).toBeUndefined();
    expect(observer.seen.length).toBeGreaterThan(60);
    await observer.stop();
  });

  it('sends nothing before the first next(), then one read and one watch, and nothing per change', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client(), await world.client()];
    const observing = two.election('e').observe();
    await world.settle();
    expect(world.calls(two)).toEqual([]);

    expect((await observing.next()).value).toMatchObject({ leader: undefined });
    const change = observing.next();
    const leadership = await one.election('e').campaign('a');
    await change;
    const next = observing.next();
    await leadership.proclaim('b');
    await next;

    expect(world.calls(two).map(({ method }) => method)).toEqual(['get', 'watch']);
    await observing.return();
    await leadership.resign();
  });

  it('ends its watch on break', async () => {
    await using world = await World.open();
    const client = await world.client();
    await using leadership = await client.election('e').campaign('a');

    let count = 0;
    for await (const { leader } of client.election('e').observe()) {
      expect(leader?.key).toBe(leadership.key);
      if (count++ === 0) void leadership.proclaim('b');
      else break;
    }
    await world.settle();

    const lines = world.watches(client).map(({ range }) => Buffer.from(range.key).toString());
    expect(lines.filter((key) => key.includes('/election/'))).toEqual([]);
  });

  it('throws the reason of its signal, and ends its watch', async () => {
    await using world = await World.open();
    const client = await world.client();
    const stop = new AbortController();
    const observing = client.election('e').observe({ signal: stop.signal });
    await observing.next();
    const next = outcome(observing.next());
    await world.settle();
    expect(world.watches(client)).toHaveLength(1);

    const reason = new Error('enough');
    stop.abort(reason);

    expect(await next).toBe(reason);
    await world.settle();
    expect(world.watches(client)).toHaveLength(0);
    expect(await observing.next()).toEqual({ done: true, value: undefined });
  });

  it('throws the reason of a signal that has aborted before, and sends nothing', async () => {
    await using world = await World.open();
    const client = await world.client();
    const reason = new Error('enough');

    const observing = client.election('e').observe({ signal: AbortSignal.abort(reason) });

    expect(await outcome(observing.next())).toBe(reason);
    expect(world.calls(client)).toEqual([]);
  });

  it('throws the reason of its signal while the store is away', async () => {
    await using world = await World.open();
    const client = await world.client();
    world.partition(client);
    const stop = new AbortController();
    const next = outcome(client.election('e').observe({ signal: stop.signal }).next());
    await world.advance(30_000);

    stop.abort('enough');

    expect(await next).toBe('enough');
  });

  it('ends with ClosedError on close, also while its reader is busy', async () => {
    await using world = await World.open();
    const client = await world.client();
    const waiting = new Observer(client.election('e'));
    const busy = client.election('e').observe();
    await busy.next();
    await world.settle();

    await client.close();

    expect(await waiting.ended).toBeInstanceOf(ClosedError);
    expect(await outcome(busy.next())).toBeInstanceOf(ClosedError);
    expect(await outcome(client.election('e').observe().next())).toBeInstanceOf(ClosedError);
  });

  it('of a session of its own ends when that is closed', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    const observer = new Observer(own.election('e'));
    await world.settle();

    await own.close();

    expect(await observer.ended).toBeInstanceOf(ClosedError);
    expect(world.watches(client)).toEqual([]);
  });

  it('does not take a reader that is slow for a watch that has lost something', async () => {
    await using world = await World.open();
    const [one, slow] = [await world.client({ sessionTtlMs: 600_000 }), await world.client()];
    const leadership = await one.election('e').campaign('0');
    const values: (string | undefined)[] = [];
    const stop = new AbortController();
    const reading = outcome(
      (async () => {
        for await (const { leader } of slow.election('e').observe({ signal: stop.signal })) {
          values.push(leader?.value);
          if (values.length === 2) await new Promise((resolve) => (goOn = resolve));
        }
      })(),
    );
    let goOn: (value?: unknown) => void = () => {};
    await world.settle();
    for (let i = 1; i <= 9; i++) {
      await leadership.proclaim(String(i));
      await world.advance(20_000);
    }
    expect(values).toEqual(['0', '1']);

    goOn();
    await world.advance(20_000);

    expect(values).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(world.calls(slow).filter(({ method }) => method === 'watch')).toHaveLength(1);
    stop.abort('enough');
    await reading;
    await leadership.resign();
  });

  it('ends with AuthError when a permission is withdrawn, for the read or for the watch', async () => {
    await using world = await World.open();
    const { runtime } = world.peer();
    const refused = new AuthError('permission denied');
    const closing = new AbortController().signal;
    const line = lineOf('conclave', 'election', 'e');
    async function* watch(): AsyncGenerator<never> {
      await Promise.reject(refused);
    }
    const get = (): Promise<unknown> => Promise.resolve({ header: { revision: 5n }, kvs: [] });
    const observe = (store: object): Promise<unknown> => {
      const connection = { runtime, store, closing } as unknown as Connection;
      const reading = async (): Promise<void> => {
        for await (const { leader } of sightings(connection, line, undefined)) expect(leader).toBeUndefined();
      };
      return outcome(reading());
    };

    expect(await observe({ get: () => Promise.reject(refused), watch })).toBe(refused);
    expect(await observe({ get, watch })).toBe(refused);
  });

  it('needs no session, and outlives one', async () => {
    await using world = await World.open();
    const [one, two] = [await world.client(), await world.client()];
    const observer = new Observer(two.election('e'));
    const own = await two.election('other').campaign('x');
    await world.settle();

    await world.expireSession(two);
    await using leadership = await one.election('e').campaign('a');
    await world.settle();

    expect(own.isHeld()).toBe(false);
    expect(leadership.isHeld()).toBe(true);
    expect(observer.values).toEqual([undefined, 'a']);
    await observer.stop();
  });

  it('shows what other programs write, on a path and by name', async () => {
    await using world = await World.open();
    world.allowKeys('conclave/election/e/');
    const client = await world.client();
    const byPath = new Observer(client.election({ path: 'go/e' }));
    const byName = new Observer(client.election('e'));
    await world.settle();

    world.engine.execute('put', put('go/e/1f', '{"v":2,"value":"theirs"}'));
    world.engine.execute('put', put('conclave/election/e/zz', '{"v":2,"value":"of a newer version"}'));
    await world.settle();
    world.engine.execute('remove', remove('go/e/1f'));
    await world.settle();

    expect(byPath.values).toEqual([undefined, '{"v":2,"value":"theirs"}', undefined]);
    expect(byName.values).toEqual([undefined, '{"v":2,"value":"of a newer version"}']);
    await Promise.all([byPath.stop(), byName.stop()]);
  });

  it('tells of two changes in one transaction as one', async () => {
    await using world = await World.open();
    world.allowKeys('conclave/election/e/');
    const client = await world.client();
    const observer = new Observer(client.election('e'));
    await world.settle();
    await world.store.txn({ then: [put('conclave/election/e/b', 'b'), put('conclave/election/e/a', 'a')] });
    await world.settle();

    expect(observer.values).toEqual([undefined, 'a']);
    expect(await lineUp(client.election('e'))).toEqual(['a', 'b']);
    await observer.stop();
  });
});

/** A line at a revision, by the create revisions of its tickets. */
function lineAt(revision: bigint, ...tickets: readonly bigint[]): LineState {
  const ticket = (createRevision: bigint): KeyValue => ({
    key: Buffer.from(`conclave/election/e/${createRevision}`),
    value: new Uint8Array(),
    createRevision,
    modRevision: createRevision,
    version: 1n,
    lease: 1n,
  });
  return { revision, tickets: tickets.map(ticket), settings: [] };
}

describe('a watch that should have told of what was read', () => {
  it.each([
    ['is behind if it tells of a leader that has gone', lineAt(5n, 5n), lineAt(9n), 'behind'],
    ['is behind if it tells of nobody, and somebody leads', lineAt(5n), lineAt(9n, 8n), 'behind'],
    ['is wrong if it tells of something else at the same revision', lineAt(9n, 5n), lineAt(9n), 'wrong'],
    [
      'is wrong if it tells of something later, and of a leader that had gone',
      lineAt(10n, 5n, 10n),
      lineAt(9n),
      'wrong',
    ],
    ['is right if nothing has changed', lineAt(5n, 5n), lineAt(9n, 5n), 'right'],
    ['is right if only those who wait have changed', lineAt(5n, 5n), lineAt(9n, 5n, 9n), 'right'],
    ['is right if it has told of more', lineAt(12n, 12n), lineAt(9n, 5n), 'right'],
    [
      'is right if it has told of more, and the leader is the same',
      lineAt(12n, 5n, 12n),
      lineAt(9n, 5n),
      'right',
    ],
  ])('%s', (_, told, seen, verdict) => {
    expect(compareWith(seen, told)).toBe(verdict);
  });
});

/** A store that answers a read with the next of these lines, and whose watches do what the test says. */
function connectionTo(
  runtime: Connection['runtime'],
  lines: readonly LineState[],
  watches: readonly ((startRevision: bigint, signal: AbortSignal) => AsyncGenerator<object>)[],
): Connection {
  let reads = 0;
  let opened = 0;
  const store = {
    get: () => {
      const { revision, tickets } = lines[Math.min(reads++, lines.length - 1)] ?? lineAt(1n);
      return Promise.resolve({ header: { revision }, kvs: tickets });
    },
    watch: (_: unknown, { startRevision, signal }: { startRevision: bigint; signal: AbortSignal }) => {
      const watch = watches[opened++];
      if (!watch) throw new Error('enough');
      return watch(startRevision, signal);
    },
  };
  return { runtime, store, closing: new AbortController().signal } as unknown as Connection;
}

async function* silence(_: bigint, signal: AbortSignal): AsyncGenerator<object> {
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  yield {};
}

/** The create revisions of the leaders that are told. */
async function told(world: World, connection: Connection): Promise<readonly (bigint | undefined)[]> {
  const seen: (bigint | undefined)[] = [];
  const reading = (async () => {
    for await (const { leader } of sightings(connection, lineOf('conclave', 'election', 'e'), undefined))
      seen.push(leader?.createRevision);
  })();
  await expect(world.run(reading)).rejects.toThrow('enough');
  return seen;
}

describe('an observer of a store that has failed to tell something', () => {
  it('watches anew from where it stands, and leaves out nothing', async () => {
    await using world = await World.open();
    const starts: bigint[] = [];
    async function* again(startRevision: bigint): AsyncGenerator<object> {
      starts.push(startRevision);
      const [old] = lineAt(5n, 5n).tickets;
      const [next] = lineAt(8n, 8n).tickets;
      await Promise.resolve();
      yield { kind: 'events', revision: 7n, events: [{ type: 'delete', kv: old }] };
      yield { kind: 'events', revision: 8n, events: [{ type: 'put', kv: next }] };
    }
    const lines = [lineAt(5n, 5n), lineAt(8n, 8n)];

    const seen = await told(world, connectionTo(world.peer().runtime, lines, [silence, again]));

    expect(starts).toEqual([6n]);
    expect(seen).toEqual([5n, undefined, 8n]);
    expect(world.now()).toBe(30_000); // within two looks
  });

  it('reads the line anew if what it was told cannot be', async () => {
    await using world = await World.open();
    async function* first(_: bigint, signal: AbortSignal): AsyncGenerator<object> {
      const [next] = lineAt(10n, 10n).tickets; // and not a word of the one before, who had gone
      yield { kind: 'events', revision: 10n, events: [{ type: 'put', kv: next }] };
      yield* silence(0n, signal);
    }
    const lines = [lineAt(5n, 5n), lineAt(9n), lineAt(9n), lineAt(12n, 10n)];

    const seen = await told(world, connectionTo(world.peer().runtime, lines, [first]));

    expect(seen).toEqual([5n, 10n]);
  });

  it('reads the line again if a member answers from before what was compacted', async () => {
    await using world = await World.open();
    async function* compacted(): AsyncGenerator<object> {
      await Promise.reject(new CompactedError('gone', 10n));
    }
    const lines = [lineAt(5n, 5n), lineAt(4n, 4n), lineAt(7n, 4n), lineAt(20n, 20n)];

    const seen = await told(world, connectionTo(world.peer().runtime, lines, [compacted, compacted]));

    expect(seen).toEqual([5n, 20n]);
  });
});
