import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import type { Election, Leadership } from '../../src/index.js';
import type { Method } from '../../src/store/transport.js';
import { patience } from '../rig/patience.js';
import { RecordingTransport } from '../rig/recording-transport.js';
import type { Backend } from '../store/contract.js';
import { lineUp, outcome } from './fixture.js';

interface Counted {
  readonly conclave: Conclave;
  readonly transport: RecordingTransport;
}

/** What an election does, and how many requests that takes, over any transport. Streams are listed apart. */
export function elections(start: () => Promise<Backend>): void {
  let backend: Backend;
  let one: Counted;
  let other: Counted;

  const open = (): Counted => {
    const transport = new RecordingTransport(backend.transport());
    // So long that no renewal, heartbeat or recheck falls into a test.
    const conclave = Conclave.over(transport, { runtime: systemRuntime, sessionTtlMs: 600_000 });
    return { conclave, transport };
  };
  /** The requests that `work` makes. */
  const requests = async (client: Counted, work: () => Promise<unknown>): Promise<Method[]> => {
    const before = client.transport.calls.length;
    await work();
    return client.transport.calls.slice(before);
  };
  /** The watches that are created meanwhile. */
  const watches = async (client: Counted, work: () => Promise<unknown>): Promise<number> => {
    const count = (): number =>
      client.transport.watchCommands.filter((command) => command === 'create').length;
    const before = count();
    await work();
    return count() - before;
  };
  const untilLine = (election: Election, values: readonly string[]): Promise<void> =>
    vi.waitFor(async () => expect(await lineUp(election)).toEqual(values), patience);
  /** Resolves when the watch that a wait needs is there: events need no read after that. */
  const untilWatching = (client: Counted, created: number): Promise<void> =>
    vi.waitFor(() => expect(client.transport.watchesCreated).toBeGreaterThan(created), patience);

  beforeAll(async () => {
    backend = await start();
    one = open();
    other = open();
    // Their sessions are open before anything is counted.
    for (const { conclave } of [one, other]) await conclave.mutex(randomUUID()).run(async () => {});
  });

  afterAll(async () => {
    await one.conclave.close();
    await other.conclave.close();
    await backend[Symbol.asyncDispose]();
  });

  describe('round trips', () => {
    it('campaign for what nobody leads: 1, proclaim: 1, resign: 1, and no watch', async () => {
      const election = one.conclave.election(randomUUID());
      const held: Leadership[] = [];
      const created = await watches(one, async () => {
        expect(await requests(one, async () => held.push(await election.campaign('a')))).toEqual(['txn']);
        expect(await requests(one, async () => held[0]?.isHeld())).toEqual([]);
        expect(await requests(one, async () => held[0]?.proclaim('b'))).toEqual(['txn']);
        expect(await requests(one, async () => held[0]?.resign())).toEqual(['txn']);
        expect(await requests(one, async () => held[0]?.resign())).toEqual([]);
      });
      expect(created).toBe(0);
    });

    it('campaign behind others: the take and a watch; taking over after the event: 0', async () => {
      const name = randomUUID();
      const leadership = await other.conclave.election(name).campaign('a');
      const created = one.transport.watchesCreated;
      let next: Promise<Leadership> | undefined;
      const asked = await requests(one, async () => {
        next = one.conclave.election(name).campaign('b');
        await untilWatching(one, created);
      });
      expect(asked.slice(0, 1)).toEqual(['txn']);
      // One read more if the store has moved on between the take and the watch.
      expect(asked.length).toBeLessThanOrEqual(2);
      const after = await requests(one, async () => {
        await leadership.resign();
        await next;
      });
      expect(after).toEqual([]);
      await (await next)?.resign();
    });

    it('leader: 1, candidates: 1', async () => {
      const election = one.conclave.election(randomUUID());
      await using leadership = await election.campaign('a');
      expect(await requests(one, () => election.leader())).toEqual(['get']);
      expect(await requests(one, () => election.candidates())).toHaveLength(1);
      expect(leadership.isHeld()).toBe(true);
    });

    it('observe: a read and a watch at the start, nothing per change', async () => {
      const name = randomUUID();
      const leadership = await other.conclave.election(name).campaign('0');
      const seen: (string | undefined)[] = [];
      const asked = await requests(one, async () => {
        const created = await watches(one, async () => {
          for await (const { leader } of one.conclave.election(name).observe()) {
            seen.push(leader?.value);
            if (leader === undefined) break;
            if (seen.length <= 20) void leadership.proclaim(String(seen.length));
            else void leadership.resign();
          }
        });
        expect(created).toBe(1);
      });
      expect(seen).toEqual([...Array.from({ length: 21 }, (_, i) => String(i)), undefined]);
      expect(asked).toEqual(['get']);
    });

    it('a candidate that gives way: 1 more', async () => {
      const name = randomUUID();
      const leadership = await other.conclave.election(name).campaign('a');
      const created = one.transport.watchesCreated;
      const low = one.conclave.election(name).campaign('low');
      await untilWatching(one, created);
      let high: Promise<Leadership> | undefined;
      const asked = await requests(one, async () => {
        high = other.conclave.election(name).campaign('high', { priority: 1 });
        await vi.waitFor(async () => {
          expect(await lineUp(other.conclave.election(name))).toEqual(['a', 'high', 'low']);
        }, patience);
      });
      expect(asked).toEqual(['txn']);
      await leadership.resign();
      await (await high)?.resign();
      await (await low).resign();
    });
  });

  it('the oldest candidate leads, the next one after it, and each has a larger token', async () => {
    const name = randomUUID();
    const [mine, theirs] = [one.conclave.election(name), other.conclave.election(name)];
    expect(await mine.leader()).toBeUndefined();
    expect(await mine.candidates()).toEqual([]);
    const first = await mine.campaign('a');
    const waiting = theirs.campaign('b');
    await untilLine(mine, ['a', 'b']);

    const { key, fencingToken } = first;
    expect(await theirs.leader()).toEqual({ value: 'a', key, fencingToken });
    expect(await theirs.candidates()).toEqual([
      expect.objectContaining({ value: 'a', key, fencingToken, holder: expect.anything() as unknown }),
      expect.objectContaining({ value: 'b', since: expect.any(String) as unknown }),
    ]);
    await first.proclaim('a!');
    expect(first.value).toBe('a!');
    expect(await theirs.leader()).toEqual({ value: 'a!', key, fencingToken });
    await first.resign();
    const second = await waiting;

    expect(second.value).toBe('b');
    expect(second.fencingToken).toBeGreaterThan(fencingToken);
    await expect(first.proclaim('too late')).rejects.toMatchObject({ code: 'HOLD_LOST' });
    expect(await mine.leader()).toMatchObject({ value: 'b' });
    await second.resign();
    expect(await mine.leader()).toBeUndefined();
  });

  it('a leadership is a hold: it guards, commits, and is given back by disposal', async () => {
    const name = randomUUID();
    const election = one.conclave.election(name);
    {
      await using leadership = await election.campaign('a');
      await leadership.proclaim('b'); // the guard is about the ticket, not about what is written on it
      expect((await leadership.commit([])).succeeded).toBe(true);
      expect((await one.conclave.store.txn({ if: leadership.guard() })).succeeded).toBe(true);
    }
    expect(await election.leader()).toBeUndefined();
  });

  it('a timeout, a signal and close end a campaign, which leaves nothing', async () => {
    const name = randomUUID();
    await using leadership = await one.conclave.election(name).campaign('a');
    const election = other.conclave.election(name);

    const late = await outcome(election.campaign('b', { timeoutMs: 20 }));
    expect(late).toMatchObject({ code: 'WAIT_TIMEOUT', message: expect.stringContaining(name) as unknown });
    expect(String(late)).toContain(`token ${leadership.fencingToken}`); // who leads
    expect(await outcome(election.campaign('b', { timeoutMs: 0 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
    const stop = new AbortController();
    const stopped = outcome(election.campaign('c', { signal: stop.signal }));
    await untilLine(election, ['a', 'c']);
    stop.abort('enough');
    expect(await stopped).toBe('enough');
    const fresh = open();
    const ended = outcome(fresh.conclave.election(name).campaign('d'));
    await untilLine(election, ['a', 'd']);
    await fresh.conclave.close();
    expect(await ended).toMatchObject({ code: 'CLOSED' });

    await untilLine(election, ['a']);
  });

  it('higher priority overtakes those who wait, and not the leader', async () => {
    const name = randomUUID();
    const [mine, theirs] = [one.conclave.election(name), other.conclave.election(name)];
    const leadership = await mine.campaign('leader', { priority: -1 });
    const low = theirs.campaign('low');
    await untilLine(mine, ['leader', 'low']);
    const high = mine.campaign('high', { priority: 2.5 });
    await untilLine(mine, ['leader', 'high', 'low']);

    expect(leadership.isHeld()).toBe(true);
    expect((await mine.candidates()).map(({ priority }) => priority)).toEqual([-1, 2.5, undefined]);
    await leadership.resign();
    await (await high).resign();
    await (await low).resign();
  });

  it('transferTo hands over to a candidate that waits behind others', async () => {
    const name = randomUUID();
    const [mine, theirs] = [one.conclave.election(name), other.conclave.election(name)];
    const leadership = await mine.campaign('a');
    const b = theirs.campaign('b');
    await untilLine(mine, ['a', 'b']);
    const c = theirs.campaign('c');
    await untilLine(mine, ['a', 'b', 'c']);
    const [, , wanted] = await mine.candidates();

    await leadership.transferTo(wanted?.key ?? '');

    expect(leadership.isHeld()).toBe(false);
    expect(await mine.leader()).toMatchObject({ value: 'c' });
    await (await c).resign();
    await (await b).resign();
  });

  it('transferTo one that does not stand rejects, and the leader stays', async () => {
    await using leadership = await one.conclave.election(randomUUID()).campaign('a');
    expect(await outcome(leadership.transferTo('nobody'))).toMatchObject({ code: 'NOT_FOUND' });
    expect(leadership.isHeld()).toBe(true);
  });

  it('by path it stores the value alone, and whoever writes it there leads', async () => {
    const path = `go/${randomUUID()}`;
    const election = one.conclave.election({ path });
    const leadership = await election.campaign('{"v":2}'); // any text, also what looks like a newer ticket
    await leadership.proclaim('host-7');
    const { kvs } = await one.conclave.store.get(leadership.key);
    expect(leadership.key.startsWith(`${path}/`)).toBe(true);
    expect(kvs.map(({ value }) => Buffer.from(value).toString())).toEqual(['host-7']);
    expect(await election.candidates()).toEqual([
      { value: 'host-7', key: leadership.key, fencingToken: leadership.fencingToken },
    ]);

    expect(await outcome(leadership.transferTo('x'))).toMatchObject({ code: 'UNSUPPORTED' });
    expect(await outcome(election.campaign('x', { priority: 1 }))).toBeInstanceOf(TypeError);
    const waiting = outcome(election.campaign('y', { timeoutMs: 20 }));
    expect(await waiting).toMatchObject({ code: 'WAIT_TIMEOUT' });
    await leadership.resign();

    await one.conclave.store.put(`${path}/694d`, 'of another program');
    expect(await election.leader()).toMatchObject({ value: 'of another program', key: `${path}/694d` });
    await one.conclave.store.remove(`${path}/694d`);
  });

  it('lead runs its callback while it leads, and gives back when its signal has aborted', async () => {
    const election = one.conclave.election(randomUUID());
    const stop = new AbortController();
    const seen: unknown[] = [];

    const leading = election.lead(
      async (leadership) => {
        seen.push((await election.leader())?.value);
        const stopped = new Promise((resolve) => leadership.signal.addEventListener('abort', resolve));
        stop.abort('enough');
        await stopped;
        seen.push(leadership.signal.reason, leadership.isHeld());
      },
      { value: 'host-7', signal: stop.signal },
    );
    await leading;

    expect(seen).toEqual(['host-7', 'enough', true]);
    expect(await election.leader()).toBeUndefined();
  });

  it('refused before any request: bad arguments, aborted signals, a closed Conclave', async () => {
    const { conclave, transport } = open();
    for (const place of ['', { path: '' }, '\ud800', null, 5])
      expect(() => conclave.election(place as string)).toThrow(TypeError);
    expect(() => conclave.election('x'.repeat(513))).toThrow(RangeError);
    const election = conclave.election(randomUUID());
    const byPath = conclave.election({ path: randomUUID() });
    const work = (): void => {};
    const wrong = [
      election.campaign(5 as never),
      election.campaign(undefined as never),
      election.campaign('\ud800'),
      byPath.campaign('\ud800'),
      election.campaign('a', { timeout: 5 } as never),
      election.campaign('a', null as never),
      election.campaign('a', { priority: '1' as never }),
      election.campaign('a', { signal: new AbortController() as never }),
      byPath.campaign('a', { priority: 0 }),
      election.lead('work' as never),
      election.lead(work, { timeoutMs: 5 } as never),
      election.lead(work, null as never),
      election.lead(work, { value: 5 as never }),
      election.lead(work, { priority: '1' as never }),
      election.lead(work, { onError: 'throw' as never }),
      election.lead(work, { signal: {} as never }),
      election.lead(work, { pauseMs: '5' as never }),
      byPath.lead(work, { priority: 0 }),
      election.observe({ timeoutMs: 5 } as never).next(),
      election.observe({ signal: {} as never }).next(),
    ];
    for (const call of wrong) expect(await outcome(call)).toBeInstanceOf(TypeError);
    for (const timeoutMs of [NaN, -1, 2 ** 31])
      expect(await outcome(election.campaign('a', { timeoutMs }))).toBeInstanceOf(RangeError);
    for (const priority of [NaN, Infinity, -Infinity])
      expect(await outcome(election.campaign('a', { priority }))).toBeInstanceOf(RangeError);
    for (const option of ['drainTimeoutMs', 'pauseMs'])
      expect(await outcome(election.lead(work, { [option]: -1 }))).toBeInstanceOf(RangeError);
    const signal = AbortSignal.abort('enough');
    expect(await outcome(election.campaign('a', { signal }))).toBe('enough');
    expect(await outcome(election.lead(work, { signal }))).toBeUndefined();
    await conclave.close();
    for (const call of [
      election.campaign('a'),
      election.lead(work),
      election.leader(),
      election.candidates(),
    ])
      expect(await outcome(call)).toMatchObject({ code: 'CLOSED' });
    expect(transport.calls).toEqual([]);
  });

  it('proclaim and transferTo refuse what they cannot use before anything is sent', async () => {
    await using leadership = await one.conclave.election(randomUUID()).campaign('a');
    const asked = await requests(one, async () => {
      expect(await outcome(leadership.proclaim(5 as never))).toBeInstanceOf(TypeError);
      expect(await outcome(leadership.proclaim('\ud800'))).toBeInstanceOf(TypeError);
      for (const key of [5 as never, leadership.key])
        expect(await outcome(leadership.transferTo(key))).toBeInstanceOf(TypeError);
      expect(await outcome(leadership.transferTo('x', { timeoutMs: NaN }))).toBeInstanceOf(RangeError);
      expect(await outcome(leadership.transferTo('x', { wait: 1 } as never))).toBeInstanceOf(TypeError);
      const signal = AbortSignal.abort('enough');
      expect(await outcome(leadership.transferTo('x', { signal }))).toBe('enough');
    });
    expect(asked).toEqual([]);
  });
}
