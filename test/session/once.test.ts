import { describe, expect, it } from 'vitest';
import { compare, get, put } from '../../src/index.js';
import { Connection } from '../../src/session/connection.js';
import { onceInAnySession, type OnceParts } from '../../src/session/once.js';
import type { Session } from '../../src/session/session.js';
import { Store } from '../../src/store/store.js';
import { type Peer, type RequestTo, World } from '../../src/testing/index.js';
import { fates, isBump, watched } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';

/** A request is given up after 4 s; the session is lost after 9.6 s without renewal, and its lease ends 2.4 s later. */
const ttlMs = 12_000;

interface Stage extends AsyncDisposable {
  readonly peer: Peer;
  readonly connection: Connection;
  readonly session: Session;
}

async function stage(world: World): Promise<Stage> {
  const peer = world.peer();
  const { runtime, name } = peer;
  const holder = { name, host: name, pid: 1, ns: 'conclave' };
  const store = new Store(peer.transport, { runtime });
  const connection = new Connection(store, { runtime, namespace: 'conclave', ttlMs, holder });
  const session = await connection.session();
  return {
    peer,
    connection,
    session,
    async [Symbol.asyncDispose]() {
      world.heal(peer);
      await world.run(connection.close());
      await store.close();
    },
  };
}

const never = new AbortController().signal;
const mark: OnceParts = { if: [], then: [put('mark', 'x')] };
/** Puts a receipt, and something. */
const isWork = ({ then }: RequestTo<'txn'>): boolean =>
  then.length > 1 && then.every((op) => op.kind === 'put');

/** How often it was done. */
async function times(world: World): Promise<number> {
  const [kv] = (await world.store.get('mark')).kvs;
  return Number(kv?.version ?? 0n);
}

async function revisionOf(world: World, key: string): Promise<bigint | undefined> {
  return (await world.store.get(key)).kvs[0]?.modRevision;
}

/** So that the end of a session is somewhere among many revisions. */
async function others(world: World, count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await world.store.put('other', String(i));
}

/** Done once by now, and not again by anything that is still on its way. */
async function expectOnce(world: World): Promise<void> {
  expect(await times(world)).toBe(1);
  await world.advance(40_000);
  expect(await times(world)).toBe(1);
}

describe('what is done once', () => {
  it('shows what its operations have answered, at its revision', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    const parts = { if: [], then: [put('mark', 'x', { prevKv: true }), get('mark')] };

    const result = await onceInAnySession(at.connection, parts, never);

    expect(result).toMatchObject({ isDone: true, revision: await revisionOf(world, 'mark') });
    expect(result.responses).toMatchObject([{ kind: 'put' }, { kind: 'get', count: 1 }]);
  });

  it('is refused if the conditions do not hold, and shows what was asked for in that case', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    await world.store.put('mark', 'there');
    const parts = { if: [compare.createRevision('mark', '=', 0n)], then: mark.then, else: [get('mark')] };

    const result = await onceInAnySession(at.connection, parts, never);

    expect(result).toMatchObject({ isDone: false, revision: world.revision });
    expect(result.responses).toMatchObject([{ kind: 'get', kvs: [{ modRevision: world.revision }] }]);
    await expectOnce(world);
  });

  it.each(fates)('%s is done once', async (_, strike) => {
    await using world = await World.open();
    await using at = await stage(world);
    const fault = strike(world, at.peer, { method: 'txn', where: isWork });

    const result = await world.run(onceInAnySession(at.connection, mark, never));

    expect(fault.hasFired).toBe(true);
    expect(result).toMatchObject({ isDone: true, revision: await revisionOf(world, 'mark') });
    await expectOnce(world);
  });
});

/** As by a proxy that sends again what it has no answer to, while we still wait for the first answer. */
describe('a transaction that the network doubles', () => {
  const make: OnceParts = { if: [compare.createRevision('mark', '=', 0n)], then: mark.then };

  it('is done in the next epoch if it comes after the fence of another one', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    const { key, leaseId } = at.session;
    world.latency(at.peer, { requestMs: 300 });
    const slow = onceInAnySession(at.connection, mark, never);
    await world.advance(100); // on its way
    await world.store.put(key, 'bumped', { lease: leaseId });

    expect(await world.run(slow)).toMatchObject({ isDone: true });
    await expectOnce(world);
  });

  it('is done once, though somebody undoes it before its copy comes', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    await onceInAnySession(at.connection, { if: [], then: [put('other', 'x')] }, never); // leaves a receipt in the slot
    world.repeatRequest(at.peer, { method: 'txn', where: isWork, ms: 1_000, isSilent: true });
    const doing = onceInAnySession(at.connection, make, never);
    await world.settle();
    const done = await revisionOf(world, 'mark');
    await world.store.remove('mark');

    const result = await world.run(doing);

    expect(result).toMatchObject({ isDone: true, revision: done });
    await world.advance(30_000);
    expect(await times(world)).toBe(0);
  });

  it('is done, though the answer is that of its copy', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    const { engine } = world;
    const execute = engine.execute.bind(engine);
    engine.execute = ((method, request) => {
      if (method !== 'txn' || !isWork(request as RequestTo<'txn'>)) return execute(method, request);
      engine.execute = execute;
      execute(method, request);
      return execute(method, request);
    }) satisfies typeof engine.execute;

    const result = await onceInAnySession(at.connection, make, never);

    expect(result).toMatchObject({ isDone: true, revision: await revisionOf(world, 'mark') });
    await expectOnce(world);
  });
});

/** The session ends in the store. */
const ends: readonly (readonly [string, (world: World, at: Stage) => Promise<unknown>])[] = [
  ['ends by its lease', (world, { peer }) => world.expireSession(peer)],
  ['has its key deleted by hand', (world, { session }) => world.store.remove(session.key)],
];

describe.each(ends)('a transaction whose session %s while its outcome is open', (_, end) => {
  it('is known to be done if it was', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    world.dropReply(at.peer, { method: 'txn', where: isWork, isSilent: true });
    const doing = onceInAnySession(at.connection, mark, never);
    await world.settle();
    await others(world);
    await end(world, at);
    await others(world);

    const result = await world.run(doing);

    const revision = await revisionOf(world, 'mark');
    expect(result).toEqual({ isDone: true, revision, responses: undefined });
    await expectOnce(world);
  });

  it.each([
    ['gets lost', Infinity],
    ['comes much later', 20_000],
  ])('is done under the next session if its request %s', async (_, ms) => {
    await using world = await World.open();
    await using at = await stage(world);
    const unheard = { method: 'txn', where: isWork, isSilent: true } as const;
    if (ms === Infinity) world.dropRequest(at.peer, unheard);
    else world.delayRequest(at.peer, { ...unheard, ms });
    const doing = onceInAnySession(at.connection, mark, never);
    await world.settle();
    await others(world);
    await end(world, at);
    await others(world);

    const result = await world.run(doing);

    expect(result).toMatchObject({ isDone: true, responses: [{ kind: 'put' }] });
    expect(at.connection.openSession).not.toBe(at.session);
    await expectOnce(world);
  });

  it('is known to be done if its receipt is in the oldest revision still there', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    world.dropReply(at.peer, { method: 'txn', where: isWork, isSilent: true });
    const doing = onceInAnySession(at.connection, mark, never);
    await world.settle();
    await others(world, 60); // most of what is searched is no longer there
    world.compact();
    await end(world, at);
    await others(world);

    expect(await world.run(doing)).toMatchObject({ isDone: true, responses: undefined });
    await expectOnce(world);
  });

  it('stays unknown if the last revision of the session has been compacted away', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    world.dropReply(at.peer, { method: 'txn', where: isWork, isSilent: true });
    const doing = outcome(onceInAnySession(at.connection, mark, never));
    await world.settle();
    await end(world, at);
    world.compact();
    await others(world);

    const error = await world.run(doing);

    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(error).toMatchObject({ message: expect.stringContaining('compacted') as unknown });
  });
});

describe('a transaction whose session is lost by the clock while its outcome is open', () => {
  it('is not done again when it arrives after that, while the lease still lives', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    world.delayRequest(at.peer, { method: 'txn', where: isWork, isSilent: true, ms: 10_000 });
    const doing = watched(world, onceInAnySession(at.connection, mark, never));
    await world.settle();
    world.partition(at.peer, { refuses: true });
    await world.advance(9_700);
    expect(at.session.signal.reason).toMatchObject({ reason: 'expired' });
    expect(await times(world)).toBe(0);
    world.heal(at.peer);

    await world.advance(1_300);

    expect(await times(world)).toBe(1);
    expect(doing.isIn).toBe(false); // nothing but the end of the lease is proof
    expect(await world.run(doing.promise)).toMatchObject({ isDone: true, responses: undefined });
    await expectOnce(world);
  });

  it('is done under the next session if its request got lost', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    world.dropRequest(at.peer, { method: 'txn', where: isWork, isSilent: true });
    const doing = onceInAnySession(at.connection, mark, never);
    await world.settle();
    world.partition(at.peer);
    await world.advance(9_700);
    world.heal(at.peer);

    expect(await world.run(doing)).toMatchObject({ isDone: true, responses: [{ kind: 'put' }] });
    expect(at.connection.openSession).not.toBe(at.session);
    await expectOnce(world);
  });

  it('is waited for as long as a new leader has prolonged the lease, which could not be revoked', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    world.delayRequest(at.peer, { method: 'txn', where: isWork, isSilent: true, ms: 18_000 });
    const doing = watched(world, onceInAnySession(at.connection, mark, never));
    await world.settle();
    world.partition(at.peer, { refuses: true });
    await world.advance(9_000);
    world.leaderChange(); // the lease lives until 21 s
    await world.advance(8_000); // too late for the revocation
    world.heal(at.peer);

    await world.advance(3_000);

    expect(await times(world)).toBe(1);
    expect(doing.isIn).toBe(false);
    expect(await world.run(doing.promise)).toMatchObject({ isDone: true, responses: undefined });
    await expectOnce(world);
  });

  it('is settled when the store is back after long', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    world.dropReply(at.peer, { method: 'txn', where: isWork, isSilent: true });
    const doing = onceInAnySession(at.connection, mark, never);
    await world.settle();
    world.partition(at.peer);
    await world.advance(300_000);
    world.heal(at.peer);

    expect(await world.run(doing)).toMatchObject({ isDone: true, responses: undefined });
    await expectOnce(world);
  });
});

describe('a transaction during which the connection is closed', () => {
  it.each([
    ['is known to be done if it was', 'dropReply', { isDone: true, responses: undefined }],
    ['is refused if it was not done', 'dropRequest', { code: 'CLOSED' }],
  ] as const)('%s', async (_, fate, expected) => {
    await using world = await World.open();
    await using at = await stage(world);
    world[fate](at.peer, { method: 'txn', where: isWork, isSilent: true });
    const doing = outcome(onceInAnySession(at.connection, mark, never));
    await world.settle();

    await at[Symbol.asyncDispose]();

    expect(await world.run(doing)).toMatchObject(expected);
    expect(await times(world)).toBe(fate === 'dropReply' ? 1 : 0);
  });
});

describe('a transaction of a connection for one session, which ends,', () => {
  const ended = async (fate: 'dropReply' | 'dropRequest'): Promise<unknown> => {
    await using world = await World.open();
    await using at = await stage(world);
    const { connection } = await at.connection.withSession(ttlMs);
    const fault = world[fate](at.peer, { method: 'txn', where: isWork, isSilent: true });
    const doing = outcome(onceInAnySession(connection, mark, never));
    await world.settle();
    await world.expireSession(at.peer);
    const result = await world.run(doing);
    await world.advance(40_000);
    expect(fault.hasFired).toBe(true);
    expect(await times(world)).toBe(fate === 'dropReply' ? 1 : 0);
    return result;
  };

  it('is known to be done if it was', async () => {
    expect(await ended('dropReply')).toMatchObject({ isDone: true });
  });

  it('rejects with the loss of the session if it was not, and nothing was done', async () => {
    expect(await ended('dropRequest')).toMatchObject({ code: 'SESSION_LOST', reason: 'revoked' });
  });
});

describe('a transaction that is given up', () => {
  it('stays unknown if the store does not answer for the time of another request', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    const caller = new AbortController();
    world.partition(at.peer);
    const doing = outcome(onceInAnySession(at.connection, mark, caller.signal));
    let error: unknown;
    void doing.then((known) => (error = known));
    await world.advance(4_500);
    caller.abort(new Error('enough'));
    await world.advance(3_900);
    expect(error).toBeUndefined();

    await world.advance(200);

    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(error).toMatchObject({ message: expect.stringContaining('enough') as unknown });
  });

  it('was not done if that can be found out, and rejects with the reason', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    const caller = new AbortController();
    world.delayRequest(at.peer, { method: 'txn', where: isWork, isSilent: true, ms: 20_000 });
    const doing = outcome(onceInAnySession(at.connection, mark, caller.signal));
    await world.advance(1_000);
    caller.abort('enough');

    expect(await world.run(doing)).toBe('enough');
    await world.advance(40_000);
    expect(await times(world)).toBe(0);
  });

  it('was not done if it could not be sent', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    world.partition(at.peer, { refuses: true });
    expect(await world.run(outcome(onceInAnySession(at.connection, mark, never)))).toMatchObject({
      code: 'UNAVAILABLE',
    });
    world.heal(at.peer);
    await world.advance(40_000);
    expect(await times(world)).toBe(0);
  });

  it('keeps its receipt: a late copy of it does not overwrite that of another', async () => {
    await using world = await World.open();
    await using at = await stage(world);
    const dropBump = { method: 'txn', where: isBump, isSilent: true } as const;
    const bumps = [world.dropRequest(at.peer, dropBump), world.dropRequest(at.peer, dropBump)];
    world.delayRequest(at.peer, { method: 'txn', where: isWork, ms: 6_000 });
    const caller = new AbortController();
    const other: OnceParts = { if: [], then: [put('other', 'x')] };
    const givenUp = outcome(onceInAnySession(at.connection, other, caller.signal));
    await world.settle();
    caller.abort();
    expect(await world.run(givenUp)).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    world.dropReply(at.peer, { method: 'txn', where: isWork, isSilent: true });
    const doing = onceInAnySession(at.connection, mark, never);
    await world.advance(2_500);
    expect(await revisionOf(world, 'other')).toBeDefined(); // the late copy has come
    expect(bumps.map(({ hasFired }) => hasFired)).toEqual([true, true]);

    expect(await world.run(doing)).toMatchObject({ isDone: true, responses: undefined });
    await expectOnce(world);
  });
});
