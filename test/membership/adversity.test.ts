import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Conclave, type KeyValue, prefix, put, remove, type StandardSchema } from '../../src/index.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { isTake } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';
import { Watcher } from './watcher.js';
import { Worker } from './worker.js';

let world: World;
let one: Conclave;
let other: Conclave;

beforeEach(async () => {
  world = await World.open();
  world.allowKeys('conclave/shards/');
  one = await world.client();
  other = await world.client();
});

afterEach(() => world[Symbol.asyncDispose]());

const keyPut = ({ then: [first] }: RequestTo<'txn'>): string =>
  first?.kind === 'put' ? Buffer.from(first.key).toString() : '';
const isPlan = (request: RequestTo<'txn'>): boolean => keyPut(request).includes('/shards/g');
const planOf = async (group: string): Promise<readonly KeyValue[]> =>
  (await world.store.get(`conclave/shards/${group}`)).kvs;
/** So many turns of the microtask queue later. */
const after = async (turns: number): Promise<void> => {
  for (let i = 0; i < turns; i++) await Promise.resolve();
};
const valueIn = async (group: string): Promise<string | undefined> =>
  (await other.group(group).members()).members[0]?.value;

describe('a member', () => {
  it('has the value of an update that ended while a registration with the one before was on its way', async () => {
    const member = await one.group('g').join('old', { id: 'a' });
    world.delayReply(one, { method: 'txn', where: isTake, ms: 1_000 });
    await world.expireSession(one);
    await world.advance(600);
    expect(member.isRegistered()).toBe(false);
    const updating = outcome(member.update('new', { timeoutMs: 100 }));
    await world.advance(200);
    expect(await updating).toMatchObject({ code: 'WAIT_TIMEOUT' });
    await world.advance(5_000);
    expect(member.isRegistered()).toBe(true);
    expect(await valueIn('g')).toBe('new');
  });

  it('has the value of the latest call, however long the schema thinks about an earlier one', async () => {
    const slow = new Map<string, () => void>();
    const schema: StandardSchema<string> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => {
          if (value === 'slow') await new Promise<void>((resolve) => slow.set(value, resolve));
          return { value: String(value) };
        },
      },
    };
    const member = await one.group('g', { schema }).join('first', { id: 'a' });
    const updates = [member.update('slow'), member.update('fast')];
    await updates[1];
    slow.get('slow')?.();
    await Promise.all(updates);
    expect(await valueIn('g')).toBe('"fast"');
    await world.expireSession(one);
    await world.advance(2_000);
    expect(await valueIn('g')).toBe('"fast"');
  });
});

describe('a watch of a group', () => {
  it.each(['signal', 'Conclave'])('ends with its %s, although the schema never answers', async (what) => {
    await one.group('g').join('"x"', { id: 'a' });
    const validate = (): Promise<never> => new Promise(() => {});
    const schema: StandardSchema<string> = { '~standard': { version: 1, vendor: 'test', validate } };
    const stop = new AbortController();
    let told: unknown;
    const watching = other.group('g', { schema }).watch({ signal: stop.signal });
    void outcome(watching.next()).then((each) => (told = each));
    await world.settle();
    if (what === 'signal') stop.abort({ code: 'STOPPED' });
    else await other.close();
    await world.settle();
    expect(told).toMatchObject({ code: what === 'signal' ? 'STOPPED' : 'CLOSED' });
  });

  it('tells of each value once, however many updates were under way', async () => {
    const member = await one.group('g').join('0', { id: 'a' });
    const watcher = new Watcher(other.group('g'));
    await world.settle();
    await Promise.all(['1', '2', '3'].map((value) => member.update(value)));
    await world.expireSession(one);
    const updates = ['4', '5'].map((value) => member.update(value));
    await world.advance(5_000);
    await Promise.all(updates);
    expect(watcher.story).toEqual(['+a=0', '~a=3', '-a', '+a=5']);
    await watcher.stop();
  });

  it('after a compaction in its absence tells of no update of those who have stayed as they were', async () => {
    await one.group('g').join('1', { id: 'a' });
    const b = await one.group('g').join('2', { id: 'b' });
    const c = await one.group('g').join('3', { id: 'c' });
    const watcher = new Watcher(other.group('g'));
    await world.settle();
    world.partition(other);
    await b.leave();
    await c.update('4');
    world.compactUnderWatches(other);
    world.heal(other);
    await world.advance(30_000);
    expect(watcher.story).toEqual(['+a=1 +b=2 +c=3', '~c=4 -b']);
    await watcher.stop();
  });
});

describe('shards', () => {
  it('that are free are taken, however many others are waited for', async () => {
    const holds = await Promise.all(
      Array.from({ length: 70 }, (_, shard) => other.mutex(`g/shards/${shard}`).acquire()),
    );
    const worker = new Worker(one, { shards: 80 });
    await world.advance(5_000);
    expect(worker.owned).toEqual([70, 71, 72, 73, 74, 75, 76, 77, 78, 79]);
    await Promise.all(holds.map((hold) => hold.release()));
    await world.advance(1_000);
    expect(worker.owned).toHaveLength(80);
    await worker.stop();
  });

  it('are not taken by a run that has ended, whenever that was told in the turn in which they fell to it', async () => {
    for (let turns = 0; turns < 30; turns++) {
      const name = `late${turns}`;
      const client = await world.client();
      const stop = new AbortController();
      let working = 0;
      const planned = world.store.listen(
        `conclave/shards/${name}`,
        {},
        {
          created: () => {},
          ended: () => {},
          events: () => void after(turns).then(() => stop.abort()),
        },
      );
      const running = client
        .group(name)
        .shards(1)
        .run(
          async (_, { signal }) => {
            working++;
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            working--;
          },
          { signal: stop.signal },
        );
      await world.run(running);
      planned.cancel();
      await world.advance(1_000);
      const [shard] = (await client.group(name).shards(1).inspect()).shards;
      expect({ turns, working, owner: shard?.owner }).toEqual({ turns, working: 0, owner: undefined });
    }
  });

  it('refuse nobody who agrees, because somebody who does not is just being refused', async () => {
    const eldest = new Worker(one);
    await world.advance(1_000);
    // Its ticket stands for a while: it learns late who is there.
    const refused = await world.client();
    const isWish = (request: RequestTo<'txn'>): boolean =>
      isTake(request) && keyPut(request).includes('/election/');
    world.delayReply(refused, { method: 'txn', where: isWish, ms: 1_000 });
    const planned = await planOf('g');
    const wrong = new Worker(refused, { shards: 16 });
    await world.advance(500);
    expect(await planOf('g')).toEqual(planned);
    const right = new Worker(other);
    await world.advance(5_000);
    expect(await wrong.ended).toMatchObject({ code: 'CONFLICT' });
    expect([eldest.owned.length, right.owned.length]).toEqual([4, 4]);
    await Promise.all([eldest.stop(), right.stop()]);
  });

  it('wanted again while their work was still ending are taken again', async () => {
    const eldest = new Worker(one);
    await world.advance(1_000);
    eldest.obeys = false;
    const second = new Worker(other);
    await world.advance(1_000);
    expect(eldest.told).toHaveLength(4);
    await second.stop();
    await world.advance(1_000);
    eldest.letGo();
    await world.advance(1_000);
    expect(eldest.owned).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await eldest.stop();
  });

  it('are planned by nobody who leads no more', async () => {
    const eldest = new Worker(one);
    await world.advance(1_000);
    // Its plan for two is on its way for longer than its lease lives.
    world.delayRequest(one, { method: 'txn', where: isPlan, ms: 30_000, isSilent: true });
    const second = new Worker(other);
    await world.advance(100);
    await world.expireSession(one);
    world.partition(one);
    await world.advance(20_000);
    const planned = await planOf('g');
    await world.advance(20_000);
    expect(await planOf('g')).toEqual(planned);
    world.heal(one);
    await world.advance(20_000);
    expect([eldest.owned.length, second.owned.length]).toEqual([4, 4]);
    await Promise.all([eldest.stop(), second.stop()]);
  });

  it('are planned again if somebody else has planned meanwhile', async () => {
    const eldest = new Worker(one);
    await world.advance(1_000);
    world.delayRequest(one, { method: 'txn', where: isPlan, ms: 100, isSilent: true });
    const second = new Worker(other);
    await world.advance(50);
    await world.store.put('conclave/shards/g', 'none of ours');
    await world.advance(3_000);
    expect([eldest.owned.length, second.owned.length]).toEqual([4, 4]);
    await Promise.all([eldest.stop(), second.stop()]);
  });

  it('are planned anew for other members, also if their ids look alike in a row', async () => {
    const line = 'conclave/election/g%2Fshards/';
    const candidate = (id: string): string => JSON.stringify({ v: 1, value: id, parties: 8 });
    const planner = new Worker(one, { shards: 8, member: await one.group('g').join('', { id: 'p' }) });
    await world.advance(1_000);
    await world.store.put(`${line}1`, candidate('x,y'));
    await world.advance(1_000);
    await world.store.txn({
      then: [remove(`${line}1`), put(`${line}2`, candidate('x')), put(`${line}3`, candidate('y'))],
    });
    await world.advance(1_000);
    const { shards } = await planner.shards.inspect();
    expect(new Set(shards.map(({ assignedTo }) => assignedTo))).toEqual(new Set(['p', 'x', 'y']));
    await planner.stop();
    await world.store.remove(prefix(line));
  });

  it('of another number than before are planned anew', async () => {
    await new Worker(one).stop();
    const first = new Worker(one, { shards: 8 });
    await world.advance(1_000);
    await first.stop();
    const more = new Worker(one, { shards: 12 });
    await world.advance(1_000);
    expect(more.owned).toHaveLength(12);
    await more.stop();
    const fewer = new Worker(one, { shards: 3 });
    await world.advance(1_000);
    expect(fewer.owned).toEqual([0, 1, 2]);
    await fewer.stop();
  });

  it('of a plan for another number of them are of nobody', async () => {
    const member = await one.group('g').join('', { id: 'a' });
    const more = new Worker(one, { shards: 12, member });
    await world.advance(1_000);
    await more.stop();
    const seen = new Set<number>();
    const stop = new AbortController();
    const fewer = one.group('g').shards(3);
    const running = fewer.run((shard) => void seen.add(shard), { member, signal: stop.signal });
    await world.advance(1_000);
    stop.abort();
    await world.run(running);
    expect([...seen].sort()).toEqual([0, 1, 2]);
    await member.leave();
  });

  it('planned by a newer version are refused', async () => {
    const stored = { v: 2, members: ['x'], owners: [0, 0, 0, 0, 0, 0, 0, 0] };
    await world.store.put('conclave/shards/g', JSON.stringify(stored));
    const worker = new Worker(one);
    await world.advance(1_000);
    expect(await worker.ended).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/newer version/) as unknown,
    });
  });
});
