import { describe, expect, it } from 'vitest';
import { ConflictError, SessionLostError, WaitTimeoutError } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { isTake, lineUp, Observer, outcome, ticketsOf, warm } from './fixture.js';

const take = { method: 'txn', where: isTake } as const;

describe('a candidate', () => {
  it('whose lease is revoked while it waits rejects at once, while the older leader still leads', async () => {
    await using world = await World.open();
    const [leader, dead] = [await world.client(), await world.client()];
    await using leadership = await leader.election('e').campaign('a');
    const waiting = outcome(dead.election('e').campaign('b'));
    await world.settle();

    await world.expireSession(dead);

    expect(await waiting).toMatchObject({ code: 'SESSION_LOST', reason: 'revoked' });
    expect(leadership.isHeld()).toBe(true);
    expect(await lineUp(leader.election('e'))).toEqual(['a']);
  });

  it('whose lease was revoked is never crowned, though the leader resigns before it has heard of that', async () => {
    await using world = await World.open();
    const [leader, dead, last] = [await world.client(), await world.client(), await world.client()];
    const observer = new Observer(last.election('e'));
    const leadership = await leader.election('e').campaign('a');
    const waiting = outcome(dead.election('e').campaign('b'));
    await world.settle();
    const next = last.election('e').campaign('c');
    await world.settle();
    world.partition(dead); // it hears nothing of its end
    await world.expireSession(dead);

    await leadership.resign();
    await (await next).resign();
    world.heal(dead);
    await world.advance(1_000);

    expect(await waiting).toBeInstanceOf(SessionLostError);
    expect(observer.values).not.toContain('b');
    await observer.stop();
  });

  it('rejects at its own deadline when the store is out of reach, whoever leads', async () => {
    await using world = await World.open();
    const leader = await world.client({ sessionTtlMs: 60_000 });
    const away = await world.client({ sessionTtlMs: 3_000 });
    await using leadership = await leader.election('e').campaign('a');
    const waiting = outcome(away.election('e').campaign('b'));
    await world.settle();

    world.partition(away);
    await world.advance(3_000);

    expect(await waiting).toMatchObject({ code: 'SESSION_LOST', reason: 'expired' });
    expect(leadership.isHeld()).toBe(true);
  });

  it('whose ticket somebody removed rejects, and is not crowned when the leader leaves', async () => {
    await using world = await World.open();
    const [leader, other] = [await world.client(), await world.client()];
    const leadership = await leader.election('e').campaign('a');
    const waiting = outcome(other.election('e').campaign('b'));
    await world.settle();
    const [, mine] = await other.election('e').candidates();
    world.lagWatches(other, 1_000); // it sees both tickets vanish at once

    await world.store.remove(mine?.key ?? '');
    await leadership.resign();
    await world.advance(2_000);

    expect(await waiting).toBeInstanceOf(ConflictError);
  });

  it('that was stopped past its deadline, and wakes up first in line, is not crowned', async () => {
    await using world = await World.open();
    const [leader, stopped] = [await world.client({ sessionTtlMs: 60_000 }), await world.client()];
    const leadership = await leader.election('e').campaign('a');
    const waiting = outcome(stopped.election('e').campaign('b'));
    await world.settle();

    world.pause(stopped);
    await leadership.resign(); // it is the oldest now, and alive for all the store knows
    await world.advance(13_000);
    expect(await ticketsOf(world, 'e')).toHaveLength(1);
    world.resume(stopped);
    await world.advance(1_000);

    expect(await waiting).toMatchObject({ code: 'SESSION_LOST', reason: 'stalled' });
  });

  it('whose session is suspect is crowned only once a renewal was answered', async () => {
    await using world = await World.open();
    const [leader, other] = [await world.client(), await world.client()];
    const leadership = await leader.election('e').campaign('a');
    const waiting = other.election('e').campaign('b');
    let isCrowned = false;
    void waiting.then(() => (isCrowned = true));
    await world.settle();
    world.jumpWall(other, 3_600_000);
    world.latency(other, { requestMs: 300 });

    await leadership.resign();
    await world.advance(200);
    expect(isCrowned).toBe(false);
    await world.advance(1_000);

    const next = await waiting;
    expect(next.isHeld()).toBe(true);
    await world.run(next.resign());
  });

  it('leads after a leader that crashed, once its lease has ended, and keeps its place over a change of the store', async () => {
    await using world = await World.open();
    const [crashed, next, last] = [await world.client(), await world.client(), await world.client()];
    const leadership = await crashed.election('e').campaign('a');
    const second = next.election('e').campaign('b');
    await world.settle();
    const third = last.election('e').campaign('c');
    await world.settle();
    world.crash(crashed);
    await world.advance(5_000);
    world.leaderChange();
    world.breakStreams(next, 'watch');

    await world.advance(16_000);

    const crowned = await second;
    expect(crowned.fencingToken).toBeGreaterThan(leadership.fencingToken);
    await crowned.resign();
    await (await third).resign();
  });

  it('is crowned although its watch was compacted away, or is late', async () => {
    await using world = await World.open();
    const leader = await world.client({ sessionTtlMs: 60_000 });
    const cut = await world.client({ sessionTtlMs: 60_000 });
    const late = await world.client({ sessionTtlMs: 60_000 });
    const first = await leader.election('e').campaign('a');
    const second = cut.election('e').campaign('b');
    await world.settle();
    const third = late.election('e').campaign('c');
    await world.settle();
    world.partition(cut, { refuses: true });
    world.lagWatches(late, 700);
    await first.resign();
    await world.store.put('elsewhere', 'x');
    world.compact();

    world.heal(cut);
    await world.advance(5_000);
    const crowned = await second;
    expect(crowned.isHeld()).toBe(true);
    await crowned.resign();
    await world.advance(1_000);

    await (await third).resign();
  });

  it('stands twice if two tasks of a process want to lead, one after the other', async () => {
    await using world = await World.open();
    const client = await world.client();
    const first = await client.election('e').campaign('a');
    const waiting = client.election('e').campaign('b');
    await world.settle();
    expect(await lineUp(client.election('e'))).toEqual(['a', 'b']);

    await first.resign();
    await (await waiting).resign();
  });

  it('that times out is told who leads, and leaves the line', async () => {
    await using world = await World.open();
    const leader = await world.client({ holder: 'the-leader' });
    const other = await world.client();
    await using leadership = await leader.election('e').campaign('a');
    const waiting = outcome(other.election('e').campaign('b', { timeoutMs: 3_000 }));

    await world.advance(3_000);

    const error = await waiting;
    expect(error).toBeInstanceOf(WaitTimeoutError);
    expect(String(error)).toContain('the-leader');
    await world.settle();
    expect(await lineUp(leader.election('e'))).toEqual([leadership.value]);
  });
});

describe("a candidate's take", () => {
  it('that was applied but not answered is found, and it leads', async () => {
    await using world = await World.open();
    const client = await warm(world);
    const fault = world.dropReply(client, take);

    await using leadership = await world.run(client.election('e').campaign('a'));

    expect(fault.hasFired).toBe(true);
    expect(leadership.isHeld()).toBe(true);
    expect(await ticketsOf(world, 'e')).toHaveLength(1);
  });

  it('that lands late puts no second candidate, before and after it has resigned', async () => {
    await using world = await World.open();
    const client = await warm(world, { sessionTtlMs: 60_000 });
    const [kept, given] = [client.election('kept'), client.election('given')];
    world.delayRequest(client, { ...take, ms: 20_000 });
    await using leadership = await world.run(kept.campaign('a'));
    world.delayRequest(client, { ...take, ms: 20_000 });
    await (await world.run(given.campaign('a'))).resign();

    await world.advance(30_000);

    expect(await lineUp(kept)).toEqual([leadership.value]);
    expect(await ticketsOf(world, 'given')).toEqual([]);
  });

  it('that is given up on its way leaves no candidate', async () => {
    await using world = await World.open();
    const client = await warm(world);
    world.delayRequest(client, { ...take, ms: 8_000, isSilent: true });
    const stop = new AbortController();
    const waiting = outcome(client.election('e').campaign('a', { signal: stop.signal }));
    await world.settle();

    stop.abort('enough');

    expect(await waiting).toBe('enough');
    await world.advance(30_000);
    expect(await ticketsOf(world, 'e')).toEqual([]);
  });

  it('without time to wait puts nothing behind a leader', async () => {
    await using world = await World.open();
    const [leader, other] = [await world.client(), await world.client()];
    await using leadership = await leader.election('e').campaign('a');
    const before = world.revision;

    expect(await outcome((await warm(world)).election('e').campaign('b', { timeoutMs: 0 }))).toBeInstanceOf(
      WaitTimeoutError,
    );

    expect(leadership.isHeld()).toBe(true);
    expect(await lineUp(other.election('e'))).toEqual(['a']);
    expect(world.revision).toBe(before + 3n); // the session of the one that asks, and its warm-up
  });
});

describe('a resignation', () => {
  it('whose answer was lost is a resignation, not a loss', async () => {
    await using world = await World.open();
    const client = await world.client();
    const leadership = await client.election('e').campaign('a');
    world.dropReply(client, { method: 'txn' });

    await world.run(leadership.resign());

    expect(await ticketsOf(world, 'e')).toEqual([]);
  });

  it('that lands late does not remove a newer leader', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 60_000 });
    const leadership = await client.election('e').campaign('a');
    world.delayRequest(client, { method: 'txn', ms: 20_000 });
    await world.run(leadership.resign());
    await using next = await client.election('e').campaign('b');

    await world.advance(30_000);

    expect(next.isHeld()).toBe(true);
    expect(await lineUp(client.election('e'))).toEqual(['b']);
  });

  it('of a leader that was lost before rejects, and disposal does not', async () => {
    await using world = await World.open();
    const client = await world.client();
    const leadership = await client.election('e').campaign('a');
    await world.expireSession(client);

    expect(await outcome(leadership.resign())).toMatchObject({ code: 'HOLD_LOST' });
    await leadership[Symbol.asyncDispose]();
  });
});

describe('a leader', () => {
  it('hears of its loss before the next one is crowned', async () => {
    await using world = await World.open();
    const [cut, other] = [await world.client({ sessionTtlMs: 5_000 }), await world.client()];
    const leadership = await cut.election('e').campaign('a');
    const lostAt: number[] = [];
    leadership.signal.addEventListener('abort', () => lostAt.push(world.now()));
    const crownedAt: number[] = [];
    const next = other.election('e').campaign('b');
    void next.then(() => crownedAt.push(world.now()));
    await world.settle();

    world.partition(cut);
    await world.advance(10_000);

    expect(lostAt[0]).toBeLessThan(crownedAt[0] ?? 0);
    expect(await outcome(leadership.commit([]))).toMatchObject({ code: 'HOLD_LOST' });
    await (await next).resign();
  });
});
