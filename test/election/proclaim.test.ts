import { describe, expect, it } from 'vitest';
import { type Conclave, HoldLostError, type Leadership } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { isRewrite, noteOf, Observer, outcome, ticketsOf, warm } from './fixture.js';

const rewrite = { method: 'txn', where: isRewrite } as const;

async function valueOf(world: World): Promise<string | undefined> {
  return (await noteOf(world, 'e')).value;
}

async function leading(world: World): Promise<{ client: Conclave; leadership: Leadership }> {
  const client = await warm(world, { sessionTtlMs: 60_000 });
  return { client, leadership: await client.election('e').campaign('0') };
}

describe('proclaim', () => {
  it('keeps the place, the token, the guard and the lease', async () => {
    await using world = await World.open();
    const { leadership } = await leading(world);
    const guard = leadership.guard();
    const [before] = await ticketsOf(world, 'e');

    await leadership.proclaim('1');

    const [after] = await ticketsOf(world, 'e');
    expect(after?.createRevision).toBe(leadership.fencingToken);
    expect(after?.lease).toBe(before?.lease); // else the ticket would be immortal
    expect(after?.lease).not.toBe(0n);
    expect((await world.store.txn({ if: guard })).succeeded).toBe(true);
    await leadership.resign();
  });

  it('keeps what else is written on the ticket: who it is, since when, and its priority', async () => {
    await using world = await World.open();
    const client = await world.client();
    const leadership = await client.election('e').campaign('0', { priority: 3 });
    const [before] = await client.election('e').candidates();
    await world.advance(5_000);

    await leadership.proclaim('1');

    expect(before).toMatchObject({ priority: 3, holder: { name: 'client-1' } });
    expect(await client.election('e').candidates()).toEqual([{ ...before, value: '1' }]);
    await leadership.resign();
  });

  it('that was applied but not answered is done, and not done twice', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    const fault = world.dropReply(client, rewrite);
    const before = world.revision;

    await world.run(leadership.proclaim('1'));

    expect(fault.hasFired).toBe(true);
    expect(await valueOf(world)).toBe('1');
    expect(world.revision).toBe(before + 1n);
    await leadership.resign();
  });

  it('whose request got lost is sent again', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    world.dropRequest(client, rewrite);

    await world.run(leadership.proclaim('1'));

    expect(await valueOf(world)).toBe('1');
    await leadership.resign();
  });

  it('that lands late does not overwrite a newer one', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    const fault = world.delayRequest(client, { ...rewrite, ms: 20_000 });
    await world.run(leadership.proclaim('1'));
    await world.run(leadership.proclaim('2'));

    await world.advance(30_000);

    expect(fault.hasFired).toBe(true);
    expect(await valueOf(world)).toBe('2');
    await leadership.resign();
  });

  it('that was applied and lands once more does not overwrite a newer one', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    const observer = new Observer(client.election('e'));
    await world.settle();
    world.repeatRequest(client, { ...rewrite, ms: 20_000 });
    await world.run(leadership.proclaim('1'));
    await world.run(leadership.proclaim('2'));

    await world.advance(30_000);

    expect(await valueOf(world)).toBe('2');
    expect(observer.values).toEqual(['0', '1', '2']);
    await leadership.resign();
    await observer.stop();
  });

  it('that lands late brings no resigned leader back', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    world.delayRequest(client, { ...rewrite, ms: 20_000 });
    await world.run(leadership.proclaim('1'));
    await leadership.resign();
    const next = await client.election('e').campaign('next');

    await world.advance(30_000);

    expect((await ticketsOf(world, 'e')).map(({ createRevision }) => createRevision)).toEqual([
      next.fencingToken,
    ]);
    await next.resign();
  });

  it('that lands late brings no leader back whose session was lost', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    world.delayRequest(client, { ...rewrite, ms: 20_000 });
    await world.run(leadership.proclaim('1'));
    await world.expireSession(client);

    await world.advance(30_000);

    expect(await ticketsOf(world, 'e')).toEqual([]);
  });

  it('is done in the order of the calls, whatever becomes of the answers', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    const observer = new Observer(client.election('e'));
    await world.settle();
    world.delayReply(client, { ...rewrite, nth: 2, ms: 400 });
    world.dropReply(client, { ...rewrite, nth: 2 });

    const all = ['1', '2', '3', '4', '5'].map((value) => leadership.proclaim(value));
    expect(leadership.value).toBe('5');
    await world.run(Promise.all(all));
    await world.settle();

    expect(observer.values).toEqual(['0', '1', '2', '3', '4', '5']);
    await leadership.resign();
    await observer.stop();
  });

  it('is refused while the store is over its quota; what lands after all is overwritten by the next', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    world.delayRequest(client, { ...rewrite, ms: 5_000 });
    world.engine.noSpace = true;
    expect(await world.run(outcome(leadership.proclaim('1')))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    world.engine.noSpace = false;
    await world.advance(6_000);
    expect(await valueOf(world)).toBe('1'); // "it may be written, or not"

    await world.run(leadership.proclaim('2'));

    expect(await valueOf(world)).toBe('2');
    await leadership.resign();
  });

  it('goes on while the store is away, until it is back', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    world.partition(client, { refuses: true });
    const proclaiming = leadership.proclaim('1');
    await world.advance(20_000);
    expect(await valueOf(world)).toBe('0');

    world.heal(client);
    await world.run(proclaiming);

    expect(await valueOf(world)).toBe('1');
    await leadership.resign();
  });

  it('rejects with HoldLostError when its session is lost meanwhile, at once', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    world.partition(client);
    const proclaiming = outcome(leadership.proclaim('1'));
    await world.advance(48_000); // its deadline

    const error = await proclaiming;
    expect(error).toBeInstanceOf(HoldLostError);
    expect(error).toMatchObject({ key: leadership.key, cause: { code: 'SESSION_LOST' } });
    expect(leadership.isHeld()).toBe(false);
  });

  it('rejects with HoldLostError on close', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    world.delayReply(client, { ...rewrite, ms: 3_000 });
    const proclaiming = outcome(leadership.proclaim('1'));
    await world.settle();

    await client.close();

    expect(await proclaiming).toBeInstanceOf(HoldLostError);
  });

  it('finds out that somebody has removed the ticket: the leadership is lost, and says so', async () => {
    await using world = await World.open();
    const { leadership } = await leading(world);
    await world.store.remove(leadership.key);

    expect(await outcome(leadership.proclaim('1'))).toBeInstanceOf(HoldLostError);

    expect(leadership.isHeld()).toBe(false);
    expect(leadership.signal.reason).toBeInstanceOf(HoldLostError);
    expect(await ticketsOf(world, 'e')).toEqual([]);
  });

  it('sends nothing once it is lost, given back, or suspect', async () => {
    await using world = await World.open();
    const { client, leadership } = await leading(world);
    world.jumpWall(client, 3_600_000);
    const sent = world.calls(client).length;
    expect(await outcome(leadership.proclaim('1'))).toMatchObject({
      code: 'HOLD_LOST',
      message: expect.stringContaining('wall clock') as unknown,
    });
    expect(
      world
        .calls(client)
        .slice(sent)
        .filter(({ method }) => method === 'txn'),
    ).toEqual([]);
    await world.advance(1_000); // renewed
    await leadership.proclaim('2');
    await leadership.resign();
    const given = world.calls(client).length;
    expect(await outcome(leadership.proclaim('3'))).toBeInstanceOf(HoldLostError);
    expect(world.calls(client)).toHaveLength(given);
  });

  it('at the same time as resign leaves nothing, in whichever order they arrive', async () => {
    for (const first of ['proclaim', 'resign']) {
      await using world = await World.open();
      const { client, leadership } = await leading(world);
      if (first === 'resign') world.delayRequest(client, { ...rewrite, ms: 1_000 });
      const proclaiming = outcome(leadership.proclaim('1'));
      await world.run(leadership.resign());
      await world.advance(5_000);

      const result = await proclaiming;
      if (result !== undefined) expect(result).toBeInstanceOf(HoldLostError);
      expect(await ticketsOf(world, 'e')).toEqual([]);
    }
  });
});
