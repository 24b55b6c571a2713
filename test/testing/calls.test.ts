import { describe, expect, it } from 'vitest';
import { get, put } from '../../src/store/operations.js';
import { type Calls, type Method, TransportError } from '../../src/store/transport.js';
import { type Peer, World } from '../../src/testing/index.js';

/** What one request ends with: its answer, or the transport's error. */
function send<M extends Method>(
  { transport }: Peer,
  method: M,
  request: Calls[M]['request'],
  { signal = new AbortController().signal, endpoint = 'member-1' } = {},
): Promise<Calls[M]['response'] | TransportError> {
  return transport
    .unary(endpoint, method, request, { signal, requireLeader: true })
    .catch((error: unknown) => {
      if (error instanceof TransportError) return error;
      throw error;
    });
}

async function countOf(world: World, key: string): Promise<number> {
  return (await world.store.get(key)).count;
}

/** How often the key has been put. */
async function versionOf(world: World, key: string): Promise<bigint> {
  return (await world.store.get(key)).kvs[0]?.version ?? 0n;
}

async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe('a request without faults', () => {
  it('is answered without time passing', async () => {
    await using world = await World.open();
    const peer = world.peer();
    expect(await send(peer, 'put', put('a', '1'))).toMatchObject({ kind: 'put' });
    expect(await countOf(world, 'a')).toBe(1);
    expect(world.now()).toBe(0);
  });

  it('is refused to an endpoint that is not there, as never sent', async () => {
    await using world = await World.open();
    expect(await send(world.peer(), 'put', put('a', '1'), { endpoint: 'nowhere' })).toMatchObject({
      status: 'unavailable',
      neverSent: true,
    });
  });

  it('rejects after the transport was closed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    await peer.transport.close();
    expect(await send(peer, 'put', put('a', '1'))).toMatchObject({ status: 'cancelled', neverSent: true });
  });

  it('that is refused by the store rejects with its words', async () => {
    await using world = await World.open();
    expect(await send(world.peer(), 'leaseRevoke', { id: 99n })).toMatchObject({
      status: 'not-found',
      detail: 'etcdserver: requested lease not found',
    });
  });
});

describe('a dropped request', () => {
  it('is not executed, and the client is told that the connection broke', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const fault = world.dropRequest(peer);
    expect(await send(peer, 'put', put('a', '1'))).toMatchObject({ status: 'unavailable', neverSent: false });
    expect(await countOf(world, 'a')).toBe(0);
    expect(fault.hasFired).toBe(true);
  });

  it('leaves the client waiting when it is silent, until it cancels', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const caller = new AbortController();
    world.dropRequest(peer, { isSilent: true });
    const answer = send(peer, 'put', put('a', '1'), { signal: caller.signal });
    await world.advance(60_000);
    expect(await hasSettled(answer)).toBe(false);
    caller.abort();
    expect(await answer).toMatchObject({ status: 'cancelled' });
    expect(await countOf(world, 'a')).toBe(0);
  });
});

describe('a dropped reply', () => {
  it('belongs to a request that was executed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.dropReply(peer);
    expect(await send(peer, 'put', put('a', '1'))).toMatchObject({ status: 'unavailable', neverSent: false });
    expect(await versionOf(world, 'a')).toBe(1n);
  });

  it('hits the nth request of its method only', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const fault = world.dropReply(peer, { method: 'put', nth: 2 });
    expect(await send(peer, 'put', put('a', '1'))).toMatchObject({ kind: 'put' });
    expect(await send(peer, 'get', get('a'))).toMatchObject({ kind: 'get' });
    expect(fault.hasFired).toBe(false);
    expect(await send(peer, 'put', put('a', '2'))).toMatchObject({ status: 'unavailable' });
    expect(fault.hasFired).toBe(true);
    expect(await send(peer, 'put', put('a', '3'))).toMatchObject({ kind: 'put' });
  });

  it('hits only what its predicate picks', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.dropReply(peer, { method: 'put', where: ({ key }) => Buffer.from(key).toString() === 'b' });
    expect(await send(peer, 'put', put('a', '1'))).toMatchObject({ kind: 'put' });
    expect(await send(peer, 'put', put('b', '1'))).toMatchObject({ status: 'unavailable' });
  });

  it('hits only its client, and nothing once it is cancelled', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const fault = world.dropReply(peer);
    expect(await send(world.peer(), 'put', put('a', '1'))).toMatchObject({ kind: 'put' });
    fault.cancel();
    expect(await send(peer, 'put', put('a', '2'))).toMatchObject({ kind: 'put' });
    expect(fault.hasFired).toBe(false);
  });

  it('is one fault per request: the next one waits for the next request', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const [first, second] = [world.dropReply(peer), world.dropRequest(peer)];
    await send(peer, 'put', put('a', '1'));
    expect([first.hasFired, second.hasFired]).toEqual([true, false]);
    await send(peer, 'put', put('a', '2'));
    expect(second.hasFired).toBe(true);
    expect(await versionOf(world, 'a')).toBe(1n);
  });
});

describe('a delayed request', () => {
  it('is executed later although the client was told at once that it failed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.delayRequest(peer, { ms: 8_000 });
    expect(await send(peer, 'put', put('a', '1'))).toMatchObject({ status: 'unavailable', neverSent: false });
    await world.advance(7_999);
    expect(await countOf(world, 'a')).toBe(0);
    await world.advance(1);
    expect(await countOf(world, 'a')).toBe(1);
  });

  it('is executed although its sender has crashed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.delayRequest(peer, { ms: 1_000 });
    await send(peer, 'put', put('a', '1'));
    world.crash(peer);
    await world.advance(1_000);
    expect(await countOf(world, 'a')).toBe(1);
  });

  it('is answered when it is silent and the client still waits', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.delayRequest(peer, { ms: 1_000, isSilent: true });
    const answer = send(peer, 'put', put('a', '1'));
    await world.advance(999);
    expect(await hasSettled(answer)).toBe(false);
    await world.advance(1);
    expect(await answer).toMatchObject({ kind: 'put' });
  });
});

it('a delayed reply belongs to a request that was executed at once', async () => {
  await using world = await World.open();
  const peer = world.peer();
  world.delayReply(peer, { ms: 500 });
  const answer = send(peer, 'put', put('a', '1'));
  await world.settle();
  expect(await countOf(world, 'a')).toBe(1);
  expect(await hasSettled(answer)).toBe(false);
  await world.advance(500);
  expect(await answer).toMatchObject({ kind: 'put' });
});

it('a repeated request is executed twice, and never answered', async () => {
  await using world = await World.open();
  const peer = world.peer();
  world.repeatRequest(peer, { ms: 2_000 });
  expect(await send(peer, 'put', put('a', '1'))).toMatchObject({ status: 'unavailable' });
  expect(await versionOf(world, 'a')).toBe(1n);
  await world.advance(2_000);
  expect(await versionOf(world, 'a')).toBe(2n);
});

it('latency delays requests and answers, and keeps their order', async () => {
  await using world = await World.open();
  const peer = world.peer();
  world.latency(peer, { requestMs: [10, 100], replyMs: 50 });
  const order: number[] = [];
  const answers = Array.from({ length: 20 }, (_, i) =>
    send(peer, 'put', put('a', String(i))).then(() => order.push(i)),
  );
  await world.advance(59);
  expect(order).toEqual([]);
  await world.advance(1_000);
  await Promise.all(answers);
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(await versionOf(world, 'a')).toBe(20n);
});

it('no request is executed twice unless its answer was lost', async () => {
  await using world = await World.open();
  const peer = world.peer();
  world.partition(peer);
  const answer = send(peer, 'put', put('a', '1'));
  await world.advance(5_000);
  world.heal(peer);
  expect(await answer).toMatchObject({ kind: 'put' });
  await world.advance(60_000);
  expect(await versionOf(world, 'a')).toBe(1n);
});

it('lists what a client has sent, with time and endpoint', async () => {
  await using world = await World.open();
  const peer = world.peer();
  await world.advance(5);
  await send(peer, 'put', put('a', '1'), { endpoint: 'member-2' });
  await send(world.peer(), 'get', get('a'));
  expect(world.calls(peer)).toMatchObject([{ method: 'put', endpoint: 'member-2', at: 5 }]);
});

it('refuses a fault on what is not of this world', async () => {
  await using world = await World.open();
  await using other = await World.open();
  const peer = world.peer();
  expect(() => other.partition(peer)).toThrow(TypeError);
  expect(() => world.partition(peer, { endpoint: 'nowhere' })).toThrow(TypeError);
  expect(() => world.silence('nowhere')).toThrow(TypeError);
  expect(() => world.dropReply(peer, { nth: 0 })).toThrow(RangeError);
});
