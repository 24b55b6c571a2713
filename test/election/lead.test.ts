import { describe, expect, it } from 'vitest';
import {
  AuthError,
  ClosedError,
  FencedOutError,
  HoldLostError,
  type Leadership,
  SessionLostError,
} from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { lineUp, Observer, outcome, ticketsOf } from './fixture.js';

/** A callback that ends when the test says so, and what it was given. */
class Work {
  readonly held: Leadership[] = [];
  readonly startedAt: number[] = [];
  running = 0;
  most = 0;
  readonly #world: World;
  #end: (() => void)[] = [];
  #fail: ((error: unknown) => void)[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  get last(): Leadership {
    const last = this.held.at(-1);
    if (!last) throw new Error('nothing has run yet');
    return last;
  }

  readonly run = async (leadership: Leadership): Promise<void> => {
    this.held.push(leadership);
    this.startedAt.push(this.#world.now());
    this.most = Math.max(this.most, ++this.running);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#end.push(resolve);
        this.#fail.push(reject);
      });
    } finally {
      this.running--;
    }
  };

  /** As `run`, but ends by itself once it is told to. */
  readonly obey = async (leadership: Leadership): Promise<void> => {
    leadership.signal.addEventListener('abort', () => this.finish());
    await this.run(leadership);
  };

  finish(): void {
    for (const end of this.#end.splice(0)) end();
    this.#fail = [];
  }

  fail(error: unknown): void {
    for (const fail of this.#fail.splice(0)) fail(error);
    this.#end = [];
  }
}

function isPending(promise: Promise<unknown>): Promise<boolean> {
  const still = Symbol('still');
  return Promise.race([promise, Promise.resolve(still)]).then((first) => first === still);
}

describe('lead', () => {
  it('resigns only after its callback has settled, and campaigns again after the pause', async () => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);
    const stop = new AbortController();
    const leading = client.election('e').lead(work.obey, { signal: stop.signal, pauseMs: 3_000 });
    await world.advance(60_000);
    expect(work.held).toHaveLength(1);
    expect(work.last.isHeld()).toBe(true);

    work.finish();
    await world.settle();
    expect(await ticketsOf(world, 'e')).toEqual([]);
    await world.advance(2_999);
    expect(work.held).toHaveLength(1);
    await world.advance(1);
    expect(work.held).toHaveLength(2);

    stop.abort();
    await leading;
    expect(work.most).toBe(1);
  });

  it('stays out for the pause when its callback returns at once, every time', async () => {
    await using world = await World.open();
    const client = await world.client();
    const other = await world.client();
    const stop = new AbortController();
    const startedAt: number[] = [];
    const leading = client
      .election('e')
      .lead(() => void startedAt.push(world.now()), { signal: stop.signal });
    await world.advance(5_500);
    stop.abort();
    await leading;
    expect(startedAt).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000]);

    // With a pause of nothing others still get their turn.
    const again = new AbortController();
    let turns = 0;
    const work = (): void => {
      if (++turns > 1_000) again.abort();
    };
    const busy = client.election('e').lead(work, { signal: again.signal, pauseMs: 0 });
    await using leadership = await other.election('e').campaign('other');
    await world.advance(100);
    expect(leadership.isHeld()).toBe(true);
    again.abort();
    await busy;
  });

  it('tells its callback to stop with the reason of its signal, while it still leads, then waits for it', async () => {
    await using world = await World.open();
    const client = await world.client();
    const other = await world.client();
    const work = new Work(world);
    const stop = new AbortController();
    const leading = client.election('e').lead(work.run, { signal: stop.signal });
    const next = other.election('e').campaign('next');
    await world.advance(1_000);

    const reason = new Error('deploy');
    stop.abort(reason);
    expect(work.last.signal.reason).toBe(reason);
    expect(work.last.isHeld()).toBe(true);
    await world.advance(9_000);
    expect(work.last.isHeld()).toBe(true);
    expect(await isPending(leading)).toBe(true);
    expect(await isPending(next)).toBe(true);
    work.finish();

    await leading;
    expect(work.last.isHeld()).toBe(false);
    await (await next).resign();
    expect(work.held).toHaveLength(1);
  });

  it('resolves when its callback throws the reason, as well', async () => {
    await using world = await World.open();
    const client = await world.client();
    const stop = new AbortController();
    const leading = client
      .election('e')
      .lead(
        ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
        { signal: stop.signal },
      );
    await world.settle();

    stop.abort('a reason that is no error');

    expect(await outcome(leading)).toBeUndefined();
  });

  it('resolves after drainTimeoutMs, and leaves the key to a callback that still runs until it ends', async () => {
    await using world = await World.open();
    const client = await world.client();
    const other = await world.client();
    const work = new Work(world);
    const stop = new AbortController();
    const leading = client.election('e').lead(work.run, { signal: stop.signal, drainTimeoutMs: 2_000 });
    const next = other.election('e').campaign('next');
    await world.settle();

    stop.abort('enough');
    await world.advance(1_999);
    expect(await isPending(leading)).toBe(true);
    await world.advance(1);
    await leading;

    await world.advance(120_000);
    expect(work.last.isHeld()).toBe(true);
    expect(await isPending(next)).toBe(true);
    work.finish();
    await world.settle();
    await (await next).resign();
  });

  it('resolves without sending anything if its signal has aborted before', async () => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);

    await client.election('e').lead(work.run, { signal: AbortSignal.abort('enough') });

    expect(work.held).toEqual([]);
    expect(world.calls(client)).toEqual([]);
  });

  it('resolves when its signal aborts while it waits behind another leader, and leaves the line', async () => {
    await using world = await World.open();
    const client = await world.client();
    const other = await world.client();
    await using leadership = await other.election('e').campaign('other');
    const work = new Work(world);
    const stop = new AbortController();
    const leading = client.election('e').lead(work.run, { signal: stop.signal });
    await world.settle();
    expect(await ticketsOf(world, 'e')).toHaveLength(2);

    stop.abort('enough');

    await leading;
    await world.settle();
    expect(await lineUp(other.election('e'))).toEqual([leadership.value]);
    expect(work.held).toEqual([]);
  });

  it('resolves when its signal aborts in the pause, and while the store is away', async () => {
    await using world = await World.open();
    const client = await world.client();
    const stop = new AbortController();
    const leading = client.election('e').lead(() => {}, { signal: stop.signal, pauseMs: 60_000 });
    await world.advance(30_000);
    stop.abort('enough');
    await leading;

    const away = await world.client();
    world.partition(away);
    const again = new AbortController();
    const trying = away.election('e').lead(() => {}, { signal: again.signal });
    await world.advance(90_000);
    again.abort('enough');
    await trying;
  });

  it('resolves when the abort comes with the loss of its session: what was asked for counts', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    const other = await world.client();
    await using leadership = await other.election('e').campaign('other');
    const stop = new AbortController();
    const leading = outcome(own.election('e').lead(() => {}, { signal: stop.signal }));
    await world.settle();
    // Heard after the campaign has heard of it.
    own.signal.addEventListener('abort', () => stop.abort('its session is lost'));

    await world.expireSession(client);
    await world.advance(1_000);

    expect(await leading).toBeUndefined();
    expect(leadership.isHeld()).toBe(true);
  });

  it('rejects with what its callback throws, after it has resigned', async () => {
    await using world = await World.open();
    const client = await world.client();
    const error = new Error('the work failed');
    for (const work of [
      () => {
        throw error;
      },
      () => Promise.reject(error),
    ]) {
      expect(await outcome(client.election('e').lead(work))).toBe(error);
      expect(await ticketsOf(world, 'e')).toEqual([]);
    }
  });

  it('rejects with a real error also if its callback throws it after it was told to stop', async () => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);
    const stop = new AbortController();
    const leading = outcome(client.election('e').lead(work.run, { signal: stop.signal }));
    await world.settle();

    stop.abort('enough');
    const error = new Error('the last write failed');
    work.fail(error);

    expect(await leading).toBe(error);
  });

  it('tells onError instead, and campaigns again after pauses that double, up to a minute', async () => {
    await using world = await World.open();
    const client = await world.client();
    const stop = new AbortController();
    const told: unknown[] = [];
    const startedAt: number[] = [];
    const leading = client.election('e').lead(
      () => {
        startedAt.push(world.now());
        throw new Error(`failure ${startedAt.length}`);
      },
      { signal: stop.signal, onError: (error) => told.push(error) },
    );
    await world.advance(400_000);
    stop.abort();
    await leading;

    expect(told.map(String).slice(0, 3)).toEqual([
      'Error: failure 1',
      'Error: failure 2',
      'Error: failure 3',
    ]);
    const pauses = startedAt.slice(1).map((at, i) => at - (startedAt[i] ?? 0));
    [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].forEach((ms, i) => {
      expect(pauses[i]).toBeLessThanOrEqual(ms);
      expect(pauses[i]).toBeGreaterThanOrEqual(ms * 0.75);
    });
  });

  it('begins anew with short pauses once its callback has returned', async () => {
    await using world = await World.open();
    const client = await world.client();
    const stop = new AbortController();
    const startedAt: number[] = [];
    const leading = client.election('e').lead(
      () => {
        startedAt.push(world.now());
        if (startedAt.length !== 4) throw new Error('no');
      },
      { signal: stop.signal, onError: () => {} },
    );
    await world.advance(12_000);
    stop.abort();
    await leading;

    const pauses = startedAt.slice(1).map((at, i) => at - (startedAt[i] ?? 0));
    expect(pauses[2]).toBeGreaterThanOrEqual(3_000); // after three errors
    expect(pauses[3]).toBe(1_000);
    expect(pauses[4]).toBeLessThanOrEqual(1_000);
  });

  it('does not make a pause shorter than it was asked for because of an error', async () => {
    await using world = await World.open();
    const client = await world.client();
    const stop = new AbortController();
    let count = 0;
    const leading = client.election('e').lead(
      () => {
        count++;
        throw new Error('no');
      },
      { signal: stop.signal, pauseMs: 600_000, onError: () => {} },
    );
    await world.advance(400_000);
    expect(count).toBe(1);
    await world.advance(200_001);
    expect(count).toBe(2);
    stop.abort();
    await leading;
  });

  it('rejects with what onError throws', async () => {
    await using world = await World.open();
    const client = await world.client();
    const fatal = new Error('fatal');
    const leading = client.election('e').lead(
      () => {
        throw new Error('no');
      },
      {
        onError: () => {
          throw fatal;
        },
      },
    );
    expect(await outcome(leading)).toBe(fatal);
    expect(await ticketsOf(world, 'e')).toEqual([]);
  });
});

describe('lead, when the leadership is lost,', () => {
  it('waits for its callback, and then campaigns again in a new session', async () => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);
    const errors: unknown[] = [];
    const stop = new AbortController();
    const options = { signal: stop.signal, onError: (error: unknown) => errors.push(error) };
    const leading = client.election('e').lead(work.run, options);
    await world.settle();

    await world.expireSession(client);
    expect(work.last.signal.reason).toBeInstanceOf(HoldLostError);
    expect(work.last.isHeld()).toBe(false);
    await world.advance(30_000);
    expect(work.held).toHaveLength(1);
    work.finish();
    await world.advance(100);

    expect(work.held).toHaveLength(2);
    expect(work.most).toBe(1);
    expect(work.last.isHeld()).toBe(true);
    expect(work.last.fencingToken).toBeGreaterThan(work.held[0]?.fencingToken ?? 0n);
    expect(errors).toEqual([]);
    stop.abort();
    work.finish();
    await leading;
  });

  it('comes back within moments after each loss, however many there were', async () => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);
    const stop = new AbortController();
    const leading = client.election('e').lead(work.obey, { signal: stop.signal });
    await world.settle();

    for (let i = 1; i <= 12; i++) {
      await world.expireSession(client);
      await world.advance(150);
      expect(work.held).toHaveLength(i + 1);
      await world.advance(60_000);
    }
    stop.abort();
    await leading;
  });

  const consequences: Readonly<Record<string, (leadership: Leadership) => unknown>> = {
    'the reason of its signal': ({ signal }) => signal.reason as unknown,
    'an AbortError': () => new DOMException('stopped', 'AbortError'),
    'what assertHeld throws': (leadership) => {
      try {
        leadership.assertHeld();
      } catch (error) {
        return error;
      }
      return undefined;
    },
    'the loss of its session': ({ signal }) => (signal.reason as Error).cause,
    'the loss of another hold by the same': ({ signal, key }) =>
      new HoldLostError(
        'a lock',
        { key: `${key}2`, fencingToken: 1n },
        { cause: (signal.reason as Error).cause },
      ),
  };
  it.each(Object.entries(consequences))('does not report %s as an error', async (_, errorOf) => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);
    const errors: unknown[] = [];
    const stop = new AbortController();
    const options = { signal: stop.signal, onError: (error: unknown) => errors.push(error) };
    const leading = client.election('e').lead(work.run, options);
    await world.settle();

    await world.expireSession(client);
    work.fail(errorOf(work.last));
    await world.advance(100);
    expect(work.held).toHaveLength(2);

    stop.abort();
    work.finish();
    await leading;
    expect(errors).toEqual([]);
  });

  it('does not report a write that was refused because the ticket was gone', async () => {
    await using world = await World.open();
    const client = await world.client();
    const errors: unknown[] = [];
    const stop = new AbortController();
    let runs = 0;
    const leading = client.election('e').lead(
      async (leadership) => {
        if (++runs > 1) {
          stop.abort();
        } else {
          await world.store.remove(leadership.key);
          await leadership.commit([]);
        }
      },
      { signal: stop.signal, onError: (error) => errors.push(error) },
    );
    await world.advance(1_000);

    await leading;
    expect(runs).toBe(2);
    expect(errors).toEqual([]);
  });

  it('reports a real error of its callback, as without the loss', async () => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);
    const leading = outcome(client.election('e').lead(work.run));
    await world.settle();

    await world.expireSession(client);
    const error = new Error('the work failed');
    work.fail(error);

    expect(await leading).toBe(error);
  });

  it('reports the loss of a lock that its callback had taken, while it leads itself', async () => {
    await using world = await World.open();
    const client = await world.client();
    for (const Kind of [HoldLostError, FencedOutError]) {
      const error = new Kind('a lock is lost', { key: 'another', fencingToken: 1n });
      expect(
        await outcome(
          client.election('e').lead(() => {
            throw error;
          }),
        ),
      ).toBe(error);
    }
  });

  it('goes on after its store was away for minutes', async () => {
    await using world = await World.open();
    const client = await world.client();
    const other = await world.client();
    const work = new Work(world);
    const errors: unknown[] = [];
    const stop = new AbortController();
    const options = { signal: stop.signal, onError: (error: unknown) => errors.push(error) };
    const leading = client.election('e').lead(work.obey, options);
    await world.settle();
    const observer = new Observer(other.election('e'));

    world.partition(client, { refuses: true });
    await world.advance(300_000);
    expect(work.running).toBe(0);
    world.heal(client);
    await world.advance(10_000);

    expect(work.running).toBe(1);
    expect(work.held).toHaveLength(2);
    expect(observer.values).toHaveLength(3);
    expect(errors).toEqual([]);
    stop.abort();
    await leading;
    await observer.stop();
  });

  it('of a session of its own ends with SessionLostError, once its callback has ended', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    const work = new Work(world);
    const leading = outcome(own.election('e').lead(work.run, { onError: () => {} }));
    await world.settle();

    await world.expireSession(client);
    await world.advance(5_000);
    expect(await isPending(leading)).toBe(true);
    work.finish();
    await world.advance(1_000);

    expect(await leading).toBeInstanceOf(SessionLostError);
    expect(work.held).toHaveLength(1);
  });

  it('campaigns again when somebody has removed its ticket from the line', async () => {
    await using world = await World.open();
    const [client, other] = [await world.client(), await world.client()];
    const leadership = await other.election('e').campaign('other');
    const work = new Work(world);
    const stop = new AbortController();
    const leading = client.election('e').lead(work.obey, { signal: stop.signal });
    await world.settle();
    const [, ticket] = await client.election('e').candidates();

    await world.store.remove(ticket?.key ?? '');
    await world.advance(1_000);
    expect(await ticketsOf(world, 'e')).toHaveLength(2);
    await leadership.resign();
    await world.settle();
    expect(work.running).toBe(1);

    stop.abort();
    await leading;
  });

  it('campaigns again when the store has space again', async () => {
    await using world = await World.open();
    const client = await world.client();
    await (await client.mutex('warm-up').acquire()).release();
    world.engine.noSpace = true;
    const work = new Work(world);
    const stop = new AbortController();
    const leading = client.election('e').lead(work.obey, { signal: stop.signal });
    await world.advance(20_000);
    expect(work.held).toEqual([]);

    world.engine.noSpace = false;
    await world.advance(60_000);
    expect(work.running).toBe(1);
    stop.abort();
    await leading;
  });
});

describe('lead and close', () => {
  it('during the campaign: it rejects with ClosedError and leaves nothing', async () => {
    await using world = await World.open();
    const [client, other] = [await world.client(), await world.client()];
    await using leadership = await other.election('e').campaign('other');
    const leading = outcome(client.election('e').lead(() => {}));
    await world.settle();

    await client.close();

    expect(await leading).toBeInstanceOf(ClosedError);
    expect(await lineUp(other.election('e'))).toEqual([leadership.value]);
  });

  it('during its callback: that is told to stop while it leads, and close waits for it', async () => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);
    const leading = outcome(client.election('e').lead(work.run));
    await world.settle();

    const closing = client.close();
    expect(work.last.signal.reason).toBeInstanceOf(ClosedError);
    expect(work.last.isHeld()).toBe(true);
    await world.advance(5_000);
    expect(await isPending(closing)).toBe(true);
    expect(work.last.isHeld()).toBe(true);
    work.finish();
    await closing;

    expect(await leading).toBeInstanceOf(ClosedError);
    expect((await world.store.lease.list()).leases).toEqual([]);
  });

  it('during a callback that does not end: it rejects when close has waited enough, and leaves no timer', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 5_000 });
    const work = new Work(world);
    const leading = outcome(client.election('e').lead(work.run, { drainTimeoutMs: 3_600_000 }));
    await world.settle();

    const closing = client.close({ drainTimeoutMs: 1_000 });
    await world.advance(1_000);
    await closing;

    expect(await leading).toBeInstanceOf(ClosedError);
    expect(work.last.isHeld()).toBe(true); // until its lease ends
    await world.advance(10_000);
    expect(work.last.isHeld()).toBe(false);
    expect(await ticketsOf(world, 'e')).toEqual([]);
    work.finish();
  });

  it('during a callback that has lost its leadership: close waits for it all the same', async () => {
    await using world = await World.open();
    const client = await world.client();
    const work = new Work(world);
    const leading = outcome(client.election('e').lead(work.run));
    await world.settle();
    await world.expireSession(client);

    const closing = client.close();
    await world.advance(5_000);
    expect(await isPending(closing)).toBe(true);
    work.finish();
    await closing;

    expect(await leading).toBeInstanceOf(ClosedError);
  });

  it('in the pause: it rejects with ClosedError at once', async () => {
    await using world = await World.open();
    const client = await world.client();
    const leading = outcome(client.election('e').lead(() => {}, { pauseMs: 3_600_000 }));
    await world.settle();

    await client.close();

    expect(await leading).toBeInstanceOf(ClosedError);
  });

  it('of a session of its own: it rejects with ClosedError', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    const work = new Work(world);
    const leading = outcome(own.election('e').lead(work.obey));
    await world.settle();

    await client.close();

    expect(await leading).toBeInstanceOf(ClosedError);
    expect(work.running).toBe(0);
  });

  it('at any moment of its first campaign: no callback begins afterwards, no key is left', async () => {
    for (let turns = 0; turns < 60; turns++) {
      await using world = await World.open();
      const client = await world.client();
      await (await client.mutex('warm-up').acquire()).release();
      const work = new Work(world);
      const leading = outcome(client.election('e').lead(work.obey));
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();

      await client.close();

      expect(await leading).toBeInstanceOf(ClosedError);
      expect(work.running).toBe(0);
      expect((await world.store.lease.list()).leases).toEqual([]);
    }
  });

  it('and an abort at any moment of a campaign: no callback begins that is not told to stop', async () => {
    for (let turns = 0; turns < 60; turns++) {
      await using world = await World.open();
      const client = await world.client();
      await (await client.mutex('warm-up').acquire()).release();
      const work = new Work(world);
      const stop = new AbortController();
      const leading = client.election('e').lead(work.obey, { signal: stop.signal });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();

      stop.abort('enough');

      await leading;
      expect(work.held.every(({ signal }) => signal.reason === 'enough')).toBe(true);
      await world.settle();
      expect(await ticketsOf(world, 'e')).toEqual([]);
    }
  });
});

describe('inside its callback', () => {
  it('a campaign for the same election is refused: it would wait for itself', async () => {
    await using world = await World.open();
    const client = await world.client();
    const stop = new AbortController();
    const seen: unknown[] = [];
    await client.election('e').lead(
      async () => {
        seen.push(await outcome(client.election('e').campaign('x')));
        seen.push(await outcome(client.election('e').lead(() => {})));
        const elsewhere = await client.election('other').campaign('x');
        await elsewhere.resign();
        stop.abort();
      },
      { signal: stop.signal },
    );

    expect(seen).toEqual([
      expect.objectContaining({ code: 'ALREADY_HELD' }),
      expect.objectContaining({ code: 'ALREADY_HELD' }),
    ]);
  });

  it('resign gives the leadership away at once, and the callback is still waited for', async () => {
    await using world = await World.open();
    const [client, other] = [await world.client(), await world.client()];
    const work = new Work(world);
    const stop = new AbortController();
    const leading = client.election('e').lead(work.run, { signal: stop.signal, pauseMs: 0 });
    const next = other.election('e').campaign('next');
    await world.settle();

    await work.last.resign();
    const leadership = await next;
    await leadership.resign();
    await world.advance(5_000);
    expect(work.held).toHaveLength(1);

    work.finish();
    await world.advance(1);
    expect(work.held).toHaveLength(2);
    stop.abort();
    work.finish();
    await leading;
  });
});

describe('lead, refused by the store,', () => {
  it('rejects with AuthError', async () => {
    await using world = await World.open();
    const client = await world.client();
    const refused = new AuthError('permission denied');
    const election = client.election('e');
    election.campaign = () => Promise.reject(refused);

    expect(await outcome(election.lead(() => {}))).toBe(refused);
  });
});
