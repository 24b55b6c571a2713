import { describe, expect, it } from 'vitest';
import { type Conclave, HoldLostError, type Leadership, put, WaitTimeoutError } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { isRewrite, lineUp, noteOf, Observer, outcome, ticketsOf } from './fixture.js';

interface Candidate {
  readonly client: Conclave;
  /** Its leadership, or what its campaign was rejected with. */
  readonly crowned: Promise<Leadership>;
  readonly stop: AbortController;
}

const rewrite = { method: 'txn', where: isRewrite } as const;

async function leader(world: World): Promise<{ client: Conclave; leadership: Leadership }> {
  const client = await world.client({ sessionTtlMs: 60_000 });
  return { client, leadership: await client.election('e').campaign('leader') };
}

async function candidate(world: World, value: string, priority?: number): Promise<Candidate> {
  const client = await world.client({ sessionTtlMs: 10_000 });
  const stop = new AbortController();
  const options = { signal: stop.signal, ...(priority !== undefined && { priority }) };
  const crowned = client.election('e').campaign(value, options);
  crowned.catch(() => {}); // some are meant to end otherwise
  await world.settle();
  return { client, crowned, stop };
}

async function keyOf(world: World, value: string): Promise<string> {
  const candidates = await (await world.client()).election('e').candidates();
  return candidates.find((each) => each.value === value)?.key ?? '';
}

async function lineOf(world: World): Promise<readonly string[]> {
  return lineUp((await world.client()).election('e'));
}

async function wishOf(world: World): Promise<string | undefined> {
  return (await noteOf(world, 'e')).transferTo;
}

describe('transferTo', () => {
  it('gives the leadership to the one that is named; the others give way once and stay behind it', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const [b, c, d] = [await candidate(world, 'b'), await candidate(world, 'c'), await candidate(world, 'd')];
    const observer = new Observer((await world.client()).election('e'));
    await world.settle();
    const key = await keyOf(world, 'd');
    const before = world.revision;

    await leadership.transferTo(key);
    await world.settle();

    expect(world.revision).toBe(before + 4n); // the note, two that give way, the resignation
    expect(leadership.isHeld()).toBe(false);
    const next = await d.crowned;
    expect(next.fencingToken).toBeGreaterThan(leadership.fencingToken);
    expect((await lineOf(world)).slice(1).sort()).toEqual(['b', 'c']);
    expect(observer.values).toEqual(['leader', 'd']);
    await next.resign();
    await Promise.race([b.crowned, c.crowned]).then((other) => other.resign());
    await Promise.all([b.crowned, c.crowned]).then((all) => all.at(-1)?.resign());
    await observer.stop();
  });

  it('to the next in line anyway: three requests, and nobody is bothered', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    const b = await candidate(world, 'b');
    const key = await keyOf(world, 'b');
    const before = world.calls(client).length;
    const revision = world.revision;

    await leadership.transferTo(key);

    expect(
      world
        .calls(client)
        .slice(before)
        .map(({ method }) => method),
    ).toEqual(['txn', 'get', 'txn']);
    expect(world.revision).toBe(revision + 2n);
    await (await b.crowned).resign();
  });

  it('is not stopped by priority, of those before the one named and of those behind', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const high = await candidate(world, 'high', 9);
    const low = await candidate(world, 'low', -1);
    const key = await keyOf(world, 'low');
    const transferring = leadership.transferTo(key);
    const highest = await candidate(world, 'highest', 99);

    await transferring;

    const next = await low.crowned;
    expect(next.key).toBe(key);
    expect((await lineOf(world))[0]).toBe('low');
    await next.resign();
    for (const { crowned } of [highest, high]) await (await crowned).resign();
  });

  it('to one that does not stand rejects; the leader stays, and its wish is withdrawn', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const b = await candidate(world, 'b');

    expect(await outcome(leadership.transferTo('conclave/election/e/nobody'))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('nobody') as unknown,
    });

    expect(leadership.isHeld()).toBe(true);
    await world.settle();
    expect(await wishOf(world)).toBeUndefined();
    expect(await lineOf(world)).toEqual(['leader', 'b']);
    b.stop.abort();
  });

  it('to one that leaves before its turn rejects; the leader stays, and its wish is withdrawn', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.partition(b.client); // so it does not give way
    const c = await candidate(world, 'c');
    const key = await keyOf(world, 'c');
    const transferring = outcome(leadership.transferTo(key));
    await world.settle();
    expect(await wishOf(world)).toBe(key);

    c.stop.abort('no more');

    await world.settle();
    expect(await transferring).toMatchObject({ code: 'NOT_FOUND' });
    expect(leadership.isHeld()).toBe(true);
    expect(await wishOf(world)).toBeUndefined();
  });

  it('rejects when its time is up, or its signal aborts; the leader stays, and its wish is withdrawn', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.partition(b.client);
    await candidate(world, 'c');
    const key = await keyOf(world, 'c');

    const late = outcome(leadership.transferTo(key, { timeoutMs: 2_000 }));
    await world.advance(1_999);
    expect(await wishOf(world)).toBe(key);
    await world.advance(1);
    expect(await late).toBeInstanceOf(WaitTimeoutError);
    await world.settle();
    expect(await wishOf(world)).toBeUndefined();

    const stop = new AbortController();
    const stopped = outcome(leadership.transferTo(key, { signal: stop.signal }));
    await world.settle();
    stop.abort('enough');
    expect(await stopped).toBe('enough');
    await world.settle();
    expect(await wishOf(world)).toBeUndefined();
    expect(leadership.isHeld()).toBe(true);
    expect(await lineOf(world)).toEqual(['leader', 'b', 'c']);
  });

  it('without time to wait succeeds for the next in line, and rejects at once for another', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.partition(b.client);
    await candidate(world, 'c');

    const key = await keyOf(world, 'c');
    expect(await outcome(leadership.transferTo(key, { timeoutMs: 0 }))).toBeInstanceOf(WaitTimeoutError);
    expect(leadership.isHeld()).toBe(true);
    world.heal(b.client);

    await leadership.transferTo(await keyOf(world, 'b'), { timeoutMs: 0 });
    expect(leadership.isHeld()).toBe(false);
  });

  it('rejects when the leader resigns meanwhile, since nobody gives way any more', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const away = [await candidate(world, 'b'), await candidate(world, 'c')];
    await candidate(world, 'd');
    for (const { client } of away) world.partition(client);
    const transferring = outcome(leadership.transferTo(await keyOf(world, 'd')));
    await world.settle();

    await leadership.resign();
    await world.settle();

    expect(await transferring).toBeInstanceOf(HoldLostError);
  });

  it('waits for a crashed candidate in between until its lease has ended', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const b = await candidate(world, 'b');
    const c = await candidate(world, 'c');
    world.crash(b.client);
    let isOver = false;
    const transferring = leadership.transferTo(await keyOf(world, 'c')).then(() => (isOver = true));
    await world.advance(5_000);
    expect(isOver).toBe(false);
    expect(leadership.isHeld()).toBe(true);

    await world.advance(10_000);

    await transferring;
    await (await c.crowned).resign();
  });

  it('goes on when the store was away in between', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    const b = await candidate(world, 'b');
    const key = await keyOf(world, 'b');
    const probe = world.onProbe('ticket.rewritten', () => world.partition(client, { refuses: true }));
    const transferring = leadership.transferTo(key);
    await world.advance(20_000);
    probe.cancel();
    expect(leadership.isHeld()).toBe(true);

    world.heal(client);
    await world.run(transferring);

    await (await b.crowned).resign();
  });

  it("waits for another program's ticket in between, which gives no way", async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    world.engine.execute('put', put('conclave/election/e/0', 'not ours'));
    const c = await candidate(world, 'c');
    const transferring = leadership.transferTo(await keyOf(world, 'c'));
    await world.advance(120_000);
    expect(leadership.isHeld()).toBe(true);

    await world.store.remove('conclave/election/e/0');

    await transferring;
    await (await c.crowned).resign();
  });

  it('rejects with HoldLostError if the leadership is lost meanwhile, or was', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.partition(b.client);
    await candidate(world, 'c');
    const key = await keyOf(world, 'c');
    const transferring = outcome(leadership.transferTo(key));
    await world.settle();

    await world.expireSession(client);

    expect(await transferring).toBeInstanceOf(HoldLostError);
    expect(await outcome(leadership.transferTo(key))).toBeInstanceOf(HoldLostError);
    await world.settle();
    expect(await ticketsOf(world, 'e')).toHaveLength(2);
  });

  it('rejects with HoldLostError if its ticket was removed by somebody', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const b = await candidate(world, 'b');
    const key = await keyOf(world, 'b');
    await world.store.remove(leadership.key);
    await world.settle();

    expect(await outcome(leadership.transferTo(key))).toBeInstanceOf(HoldLostError);

    expect((await b.crowned).isHeld()).toBe(true);
  });

  it('rejects with HoldLostError if the leadership is given back, or its ticket removed, meanwhile', async () => {
    for (const isRemoved of [false, true]) {
      await using world = await World.open();
      const { leadership } = await leader(world);
      const b = await candidate(world, 'b');
      world.partition(b.client);
      const c = await candidate(world, 'c');
      world.partition(c.client); // nor does this one give way
      const d = await candidate(world, 'd');
      const transferring = outcome(leadership.transferTo(await keyOf(world, 'd')));
      await world.settle();

      if (isRemoved) await world.store.remove(leadership.key);
      else await leadership.resign();
      await world.settle();

      expect(await transferring).toBeInstanceOf(HoldLostError);
      expect(leadership.isHeld()).toBe(false);
      c.stop.abort();
      d.stop.abort();
    }
  });

  it('ends with ClosedError on close, which gives the leadership back', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.partition(b.client);
    await candidate(world, 'c');
    const transferring = outcome(leadership.transferTo(await keyOf(world, 'c')));
    await world.settle();

    await client.close();

    expect(await transferring).toMatchObject({ code: 'CLOSED' });
    expect(await lineOf(world)).toEqual(['b', 'c']);
  });

  it('keeps what is proclaimed meanwhile, before and after it has failed', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.partition(b.client);
    await candidate(world, 'c');
    const key = await keyOf(world, 'c');
    const observer = new Observer(client.election('e'));
    await world.settle();

    const before = leadership.proclaim('1');
    const transferring = outcome(leadership.transferTo(key, { timeoutMs: 1_000 }));
    const after = leadership.proclaim('2');
    await Promise.all([before, after]);
    expect(await noteOf(world, 'e')).toMatchObject({ value: '2', transferTo: key });
    await world.advance(1_000);
    expect(await transferring).toBeInstanceOf(WaitTimeoutError);
    await leadership.proclaim('3');

    expect(await noteOf(world, 'e')).toMatchObject({ value: '3' });
    expect(await wishOf(world)).toBeUndefined();
    await world.settle();
    expect(observer.values).toEqual(['leader', '1', '2', '3']);
    await observer.stop();
  });

  it('leaves no wish behind also if its session is suspect when the time is up', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.partition(b.client);
    await candidate(world, 'c');
    const transferring = outcome(leadership.transferTo(await keyOf(world, 'c'), { timeoutMs: 1_000 }));
    await world.advance(990);
    world.latency(client, { requestMs: 200 });
    world.jumpWall(client, 3_600_000);
    await world.advance(10);

    expect(await transferring).toBeInstanceOf(WaitTimeoutError);
    expect(leadership.isHeld()).toBe(false); // for the moment
    await world.advance(2_000);
    expect(leadership.isHeld()).toBe(true);
    expect(await wishOf(world)).toBeUndefined();
  });

  it('a second wish counts, and the failure of the first does not withdraw it', async () => {
    await using world = await World.open();
    const { leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.partition(b.client);
    const [c, d] = [await candidate(world, 'c'), await candidate(world, 'd')];
    const first = outcome(leadership.transferTo(await keyOf(world, 'c'), { timeoutMs: 1_000 }));
    await world.settle();
    const key = await keyOf(world, 'd');
    const second = leadership.transferTo(key);
    await world.advance(1_000);
    expect(await first).toMatchObject({ code: expect.stringMatching(/WAIT_TIMEOUT|NOT_FOUND/) as unknown });
    expect(await wishOf(world)).toBe(key);

    world.heal(b.client);
    await world.advance(2_000);

    await second;
    await (await d.crowned).resign();
    c.stop.abort();
  });
});

describe('the note of a transfer', () => {
  it('whose answer was lost is written once, and obeyed', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    const [b, c] = [await candidate(world, 'b'), await candidate(world, 'c')];
    world.dropReply(client, rewrite);

    await world.run(leadership.transferTo(await keyOf(world, 'c')));

    await (await c.crowned).resign();
    await (await b.crowned).resign();
  });

  it('that lands late, after it was withdrawn, bothers nobody', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    await candidate(world, 'b');
    const c = await candidate(world, 'c');
    const key = await keyOf(world, 'c');
    const fault = world.delayRequest(client, { ...rewrite, ms: 20_000, isSilent: true });
    const late = outcome(leadership.transferTo(key, { timeoutMs: 100 }));
    await world.advance(100);
    expect(await late).toBeInstanceOf(WaitTimeoutError);
    await world.advance(10_000);

    await world.advance(30_000);

    expect(fault.hasFired).toBe(true);
    expect(await wishOf(world)).toBeUndefined();
    expect(leadership.isHeld()).toBe(true);
    expect((await lineOf(world))[0]).toBe('leader');
    c.stop.abort();
  });

  it('that lands after the resignation brings the leader not back', async () => {
    await using world = await World.open();
    const { client, leadership } = await leader(world);
    const b = await candidate(world, 'b');
    world.repeatRequest(client, { ...rewrite, ms: 20_000 });
    await world.run(leadership.transferTo(await keyOf(world, 'b')));

    await world.advance(30_000);

    expect(await lineOf(world)).toEqual(['b']);
    await (await b.crowned).resign();
  });
});

describe('transferTo from within lead', () => {
  it('tells the callback to stop and resolves; the leadership passes on when that has ended', async () => {
    await using world = await World.open();
    const client = await world.client();
    let held: Leadership | undefined;
    let finish = (): void => {};
    const stop = new AbortController();
    let runs = 0;
    const leading = client.election('e').lead(
      async (leadership) => {
        runs++;
        held = leadership;
        await new Promise<void>((resolve) => (finish = resolve));
      },
      { signal: stop.signal },
    );
    await world.settle();
    const [b, c] = [await candidate(world, 'b'), await candidate(world, 'c')];
    const key = await keyOf(world, 'c');

    await held?.transferTo(key);

    expect(held?.signal.aborted).toBe(true);
    expect(held?.signal.reason).toMatchObject({ message: expect.stringContaining(key) as unknown });
    expect(held?.isHeld()).toBe(true);
    await world.advance(60_000);
    expect(await wishOf(world)).toBe(key); // it stays next, whoever comes
    const high = await candidate(world, 'high', 9);
    expect((await lineOf(world)).slice(1, 2)).toEqual(['c']);
    finish();
    await world.settle();

    const next = await c.crowned;
    await world.advance(5_000);
    expect(runs).toBe(1);
    expect(await ticketsOf(world, 'e')).toHaveLength(4); // it stands for election again, behind the others
    await next.resign();
    await (await high.crowned).resign();
    await (await b.crowned).resign();
    await world.settle();
    expect(runs).toBe(2);
    stop.abort();
    finish();
    await leading;
  });

  it('is no error, also if the callback throws the reason', async () => {
    await using world = await World.open();
    const client = await world.client();
    const errors: unknown[] = [];
    const stop = new AbortController();
    const leading = client.election('e').lead(
      async (leadership) => {
        const b = await candidate(world, 'b');
        await leadership.transferTo(await keyOf(world, 'b'));
        void b.crowned.then(() => stop.abort());
        leadership.signal.throwIfAborted();
      },
      { signal: stop.signal, onError: (error) => errors.push(error) },
    );

    await world.run(leading);

    expect(errors).toEqual([]);
    expect(await lineOf(world)).toEqual(['b']);
  });

  it('that fails leaves the callback running and the leader leading', async () => {
    await using world = await World.open();
    const client = await world.client();
    const stop = new AbortController();
    const seen: unknown[] = [];
    const leading = client.election('e').lead(
      async (leadership) => {
        seen.push(await outcome(leadership.transferTo('nobody')));
        seen.push(leadership.isHeld(), leadership.signal.aborted);
        stop.abort();
      },
      { signal: stop.signal },
    );

    await world.run(leading);

    expect(seen).toEqual([expect.objectContaining({ code: 'NOT_FOUND' }), true, false]);
  });
});
