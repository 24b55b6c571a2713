import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Conclave, Group, StandardSchema } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { Watcher } from './watcher.js';

let world: World;
let one: Conclave;
let other: Conclave;

beforeEach(async () => {
  world = await World.open();
  one = await world.client();
  other = await world.client();
});

afterEach(() => world[Symbol.asyncDispose]());

const ids = async (group: Group): Promise<string[]> => (await group.members()).members.map(({ id }) => id);

describe('a member', () => {
  it('is seen by the others from join to leave, with its value and who it is', async () => {
    const group = one.group('workers');
    const member = await group.join('10.0.0.1:80', { id: 'a' });
    expect(member.isRegistered()).toBe(true);
    const { members, revision, unreadable } = await other.group('workers').members();
    expect(members).toEqual([
      {
        id: 'a',
        value: '10.0.0.1:80',
        key: expect.stringMatching(/^conclave\/group\/workers\/a\/\w+-\d+$/) as unknown,
        fencingToken: member.fencingToken,
        holder: expect.objectContaining({ ns: 'conclave' }) as unknown,
        since: expect.any(String) as unknown,
      },
    ]);
    expect(revision).toBeGreaterThanOrEqual(member.fencingToken ?? 0n);
    expect(unreadable).toEqual([]);
    await member.leave();
    await member.leave();
    expect(member.isRegistered()).toBe(false);
    expect(await ids(group)).toEqual([]);
    expect(member.signal.aborted).toBe(false);
  });

  it('has an id of its own if it names none', async () => {
    const group = one.group('workers');
    const members = [await group.join('x'), await group.join('y'), await other.group('workers').join('z')];
    expect(await ids(group)).toEqual(members.map(({ id }) => id));
  });

  it('waits for its id until the one before has gone', async () => {
    const first = await one.group('workers').join('old', { id: 'a' });
    const joining = other.group('workers').join('new', { id: 'a' });
    expect(await outcome(other.group('workers').join('new', { id: 'a', timeoutMs: 0 }))).toMatchObject({
      code: 'WAIT_TIMEOUT',
    });
    await world.settle();
    expect((await one.group('workers').members()).members.map(({ value }) => value)).toEqual(['old']);
    await first.leave();
    const second = await joining;
    expect((await one.group('workers').members()).members.map(({ value }) => value)).toEqual(['new']);
    await second.leave();
  });

  it('changes its value, in the order of the calls, and keeps its token', async () => {
    const member = await one.group('workers').join('0', { id: 'a' });
    const token = member.fencingToken;
    await Promise.all(['1', '2', '3'].map((value) => member.update(value)));
    const { members } = await other.group('workers').members();
    expect(members).toMatchObject([{ value: '3', fencingToken: token }]);
  });

  it('registers again by itself under the next session, with its latest value', async () => {
    const member = await one.group('workers').join('old', { id: 'a' });
    const token = member.fencingToken ?? 0n;
    await world.expireSession(one);
    await world.settle();
    expect(member.isRegistered()).toBe(false);
    const updating = member.update('new');
    await world.advance(1_000);
    await updating;
    expect(member.isRegistered()).toBe(true);
    expect(member.fencingToken).toBeGreaterThan(token);
    expect(member.signal.aborted).toBe(false);
    expect((await other.group('workers').members()).members).toMatchObject([{ id: 'a', value: 'new' }]);
  });

  it('that has crashed is gone once its lease has run out', async () => {
    await one.group('workers').join('x', { id: 'a' });
    const watcher = new Watcher(other.group('workers'));
    world.partition(one);
    await world.advance(14_000);
    expect(watcher.story).toEqual(['+a=x']);
    await world.advance(3_000);
    expect(watcher.story).toEqual(['+a=x', '-a']);
    await watcher.stop();
    world.heal(one);
    await world.advance(20_000);
    expect(await ids(other.group('workers'))).toEqual(['a']);
  });

  it('ends with the Conclave, and says so', async () => {
    const member = await one.group('workers').join('x', { id: 'a' });
    const signal = member.signal;
    await one.close();
    expect(signal.reason).toMatchObject({ code: 'CLOSED' });
    expect(await ids(other.group('workers'))).toEqual([]);
    expect(await outcome(member.update('y'))).toMatchObject({ code: 'CLOSED' });
    await member.leave();
  });

  it('under the one session of a SessionConclave ends with that', async () => {
    const own = await one.withSession();
    const member = await own.group('workers').join('x', { id: 'a' });
    await world.store.lease.revoke(own.leaseId);
    await world.advance(1_000);
    expect(member.signal.reason).toMatchObject({ code: 'SESSION_LOST' });
  });

  it('has left when that rejects an update that waits', async () => {
    const member = await one.group('workers').join('x', { id: 'a' });
    world.partition(one);
    const updating = outcome(member.update('y'));
    const leaving = member.leave();
    expect(await updating).toMatchObject({ code: 'CLOSED' });
    world.heal(one);
    await world.advance(20_000);
    await leaving;
    expect(await ids(other.group('workers'))).toEqual([]);
  });
});

describe('the value of a member', () => {
  const address: StandardSchema<{ host: string; port: number }> = z.object({
    host: z.string(),
    port: z.number(),
  });

  it('is what the schema describes', async () => {
    const member = await one.group('web', { schema: address }).join({ host: 'a', port: 80 });
    const { members } = await other.group('web', { schema: address }).members();
    expect(members.map(({ value }) => value.port)).toEqual([80]);
    expect(await outcome(member.update({ host: 'a', port: '80' as unknown as number }))).toMatchObject({
      code: 'INVALID_VALUE',
    });
    expect(await outcome(one.group('web', { schema: address }).join({} as never))).toMatchObject({
      code: 'INVALID_VALUE',
    });
  });

  it('is refused if others could not read it, and is the one that was given, whatever the schema waits for', async () => {
    const day = z.object({ since: z.union([z.date(), z.literal('now')]) });
    const joining = one.group('days', { schema: day }).join({ since: new Date(0) });
    expect(await outcome(joining)).toMatchObject({ code: 'INVALID_VALUE' });
    const value: { since: Date | 'now' } = { since: 'now' };
    const given = one.group('days', { schema: day }).join(value);
    value.since = new Date(0);
    await given;
    const { members, unreadable } = await other.group('days', { schema: day }).members();
    expect([members.map((each) => each.value), unreadable]).toEqual([[{ since: 'now' }], []]);
  });

  it('that a schema thinks about for ever keeps nobody waiting for longer than was said', async () => {
    const silent = {
      '~standard': { version: 1, vendor: 'test', validate: () => new Promise<never>(() => {}) },
    } as const;
    const group = one.group('web', { schema: silent });
    const joining = outcome(group.join('x', { timeoutMs: 1_000 }));
    const stop = new AbortController();
    const stopped = outcome(group.join('x', { signal: stop.signal }));
    const closed = outcome(group.join('x'));
    await world.advance(1_000);
    expect(await joining).toMatchObject({ code: 'WAIT_TIMEOUT' });
    stop.abort('enough');
    expect(await stopped).toBe('enough');
    await one.close();
    expect(await closed).toMatchObject({ code: 'CLOSED' });
  });

  it('that cannot be read is told apart, and ends no watch', async () => {
    const good = await one.group('web', { schema: address }).join({ host: 'a', port: 80 });
    await one.group('web').join('not JSON', { id: 'b' });
    const { members, unreadable } = await other.group('web', { schema: address }).members();
    expect(members.map(({ id }) => id)).toEqual([good.id]);
    expect(unreadable).toMatchObject([{ id: 'b', error: { code: 'INVALID_VALUE' } }]);
  });
});

describe('a watch of a group', () => {
  it('tells the present members first, then each change', async () => {
    const a = await one.group('workers').join('1', { id: 'a' });
    const watcher = new Watcher(other.group('workers'));
    await world.settle();
    const b = await other.group('workers').join('2', { id: 'b' });
    await a.update('3');
    await a.leave();
    await b.leave();
    await world.settle();
    expect(watcher.story).toEqual(['+a=1', '+b=2', '~a=3', '-a', '-b']);
    expect(watcher.last?.members).toEqual([]);
    expect(await watcher.stop()).toBe('enough');
  });

  it('shows one that was replaced under its id as left and joined', async () => {
    const watcher = new Watcher(other.group('workers'));
    const a = await one.group('workers').join('1', { id: 'a' });
    const next = other.group('workers').join('2', { id: 'a' });
    await world.settle();
    await a.leave();
    await next;
    await world.settle();
    expect(watcher.story).toEqual(['', '+a=1', '+a=2 -a']);
    await watcher.stop();
  });

  it('adds up to the members after a compaction in its absence', async () => {
    const a = await one.group('workers').join('1', { id: 'a' });
    const watcher = new Watcher(other.group('workers'));
    await world.settle();
    world.partition(other);
    await a.leave();
    await one.group('workers').join('2', { id: 'b' });
    world.compact();
    world.heal(other);
    await world.advance(30_000);
    expect(watcher.last?.members.map(({ id }) => id)).toEqual(['b']);
    const added = watcher.changes.flatMap(({ joined }) => joined.map(({ key }) => key));
    const gone = watcher.changes.flatMap(({ left }) => left.map(({ key }) => key));
    expect(added.filter((key) => !gone.includes(key))).toEqual(watcher.last?.members.map(({ key }) => key));
    await watcher.stop();
  });

  it('sends nothing before the first next, and ends when the Conclave closes', async () => {
    const watch = other.group('workers').watch();
    await world.settle();
    expect(world.watches(other)).toEqual([]);
    const first = await watch.next();
    expect(first.value).toMatchObject({ members: [], joined: [] });
    const next = outcome(watch.next());
    await other.close();
    expect(await next).toMatchObject({ code: 'CLOSED' });
  });
});

describe('bad arguments of a group', () => {
  it('are refused before anything is sent', async () => {
    expect(() => one.group('')).toThrow(TypeError);
    expect(() => one.group('g', { schema: {} as never })).toThrow(TypeError);
    expect(() => one.group('g', { scheme: 1 } as never)).toThrow(TypeError);
    const group = one.group('g');
    expect(await outcome(group.join(1 as never))).toBeInstanceOf(TypeError);
    expect(await outcome(group.join('x', { id: '' }))).toBeInstanceOf(TypeError);
    expect(await outcome(group.join('x', { ids: 'a' } as never))).toBeInstanceOf(TypeError);
    expect(await outcome(group.join('x', { timeoutMs: -1 }))).toBeInstanceOf(RangeError);
    expect(world.calls(one)).toEqual([]);
  });
});
