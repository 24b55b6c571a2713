import { describe, expect, it } from 'vitest';
import { get, put } from '../../src/store/operations.js';
import type { KeepAliveMessage, WatchMessage } from '../../src/store/transport.js';
import { type Peer, World } from '../../src/testing/index.js';
import { Inbox, keysSeen, ttlsSeen, watchOf } from './inbox.js';

/** One put; what it ends with is `answered`, or the status of its error. */
class Writing {
  outcome = 'none';
  readonly #caller = new AbortController();

  constructor({ transport }: Peer, key: string, endpoint = 'member-1') {
    const options = { signal: this.#caller.signal, requireLeader: true };
    transport.unary(endpoint, 'put', put(key, ''), options).then(
      () => (this.outcome = 'answered'),
      (error: unknown) => (this.outcome = (error as { status: string }).status),
    );
  }

  cancel(): void {
    this.#caller.abort();
  }
}

async function countOf(world: World, key: string): Promise<number> {
  return (await world.store.get(key)).count;
}

describe('a partition', () => {
  it('lets calls hang without an error, and answers them once it is healed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.partition(peer);
    const writing = new Writing(peer, 'a');
    await world.advance(60_000);
    expect([writing.outcome, await countOf(world, 'a')]).toEqual(['none', 0]);

    world.heal(peer);
    await world.settle();
    expect([writing.outcome, await countOf(world, 'a')]).toEqual(['answered', 1]);
  });

  it('rejects a cancelled call at once, and executes its request when it is healed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.partition(peer);
    const writing = new Writing(peer, 'a');
    writing.cancel();
    await world.settle();
    expect([writing.outcome, await countOf(world, 'a')]).toEqual(['cancelled', 0]);

    world.heal(peer);
    await world.settle();
    expect([writing.outcome, await countOf(world, 'a')]).toEqual(['cancelled', 1]);
  });

  it('rejects calls as soon as the client resets the connection', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.partition(peer);
    const writing = new Writing(peer, 'a');
    peer.transport.reset('member-2');
    await world.settle();
    expect(writing.outcome).toBe('none');
    peer.transport.reset('member-1');
    await world.settle();
    expect(writing.outcome).toBe('unavailable');
  });

  it('of replies only has requests executed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.partition(peer, { blocks: 'replies' });
    const writing = new Writing(peer, 'a');
    await world.advance(1_000);
    expect([writing.outcome, await countOf(world, 'a')]).toEqual(['none', 1]);
    world.heal(peer);
    await world.settle();
    expect(writing.outcome).toBe('answered');
  });

  it('of requests only lets the answers to earlier ones through', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.delayReply(peer, { ms: 100 });
    const early = new Writing(peer, 'a');
    world.partition(peer, { blocks: 'requests' });
    const late = new Writing(peer, 'b');
    await world.advance(100);
    expect([early.outcome, late.outcome]).toEqual(['answered', 'none']);
    world.heal(peer);
    await world.settle();
    expect(late.outcome).toBe('answered');
  });

  it('from one member leaves the others, and other clients, alone', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.partition(peer, { endpoint: 'member-1' });
    const [cut, open] = [new Writing(peer, 'a'), new Writing(peer, 'b', 'member-2')];
    const other = new Writing(world.peer(), 'c');
    await world.settle();
    expect([cut.outcome, open.outcome, other.outcome]).toEqual(['none', 'answered', 'answered']);
  });

  it('that refuses breaks what is under way, and rejects new calls as never sent', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const inbox = new Inbox<WatchMessage>();
    peer.transport.watchStream('member-1', inbox);
    world.delayReply(peer, { ms: 1_000 });
    const underWay = new Writing(peer, 'a');

    world.partition(peer, { refuses: true });
    await world.settle();
    const call = peer.transport.unary('member-1', 'get', get('a'), {
      signal: new AbortController().signal,
      requireLeader: true,
    });

    expect(underWay.outcome).toBe('unavailable');
    expect(inbox.errors).toMatchObject([{ status: 'unavailable' }]);
    await expect(call).rejects.toMatchObject({ status: 'unavailable', neverSent: true });
    const refused = new Inbox<WatchMessage>();
    peer.transport.watchStream('member-1', refused);
    await world.settle();
    expect(refused.errors).toMatchObject([{ neverSent: true }]);
  });

  it('silences a watch, and delivers everything when it is healed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const inbox = new Inbox<WatchMessage>();
    const stream = peer.transport.watchStream('member-1', inbox);
    stream.send(watchOf('k'));
    await world.settle();
    world.partition(peer);
    await world.store.put('k1', '');
    await world.store.put('k2', '');
    await world.advance(10_000);
    expect(keysSeen(inbox)).toEqual([]);
    world.heal(peer);
    await world.settle();
    expect(keysSeen(inbox)).toEqual(['k1', 'k2']);
    stream.close();
  });
});

describe('a silent member', () => {
  it('takes requests, and answers when it wakes', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.silence('member-1');
    const late = world.peer();
    const writings = [new Writing(peer, 'a'), new Writing(late, 'b'), new Writing(peer, 'c', 'member-3')];
    await world.advance(30_000);
    expect(writings.map(({ outcome }) => outcome)).toEqual(['none', 'none', 'answered']);
    world.wake('member-1');
    await world.settle();
    expect(writings.map(({ outcome }) => outcome)).toEqual(['answered', 'answered', 'answered']);
  });

  it('is still cut off from a client whose partition is not healed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.silence('member-1');
    world.partition(peer);
    const writing = new Writing(peer, 'a');
    world.wake('member-1');
    await world.settle();
    expect(writing.outcome).toBe('none');
    world.heal(peer);
    await world.settle();
    expect(writing.outcome).toBe('answered');
  });
});

describe('a watch', () => {
  it('that lags delivers later, in order', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const inbox = new Inbox<WatchMessage>();
    const stream = peer.transport.watchStream('member-1', inbox);
    stream.send(watchOf('k'));
    await world.settle();
    world.lagWatches(peer, [500, 700]);
    for (const key of ['k1', 'k2', 'k3']) await world.store.put(key, '');
    await world.advance(499);
    expect(keysSeen(inbox)).toEqual([]);
    await world.advance(201);
    expect(keysSeen(inbox)).toEqual(['k1', 'k2', 'k3']);
    stream.close();
  });

  it('that breaks ends once, and what it had not delivered is gone', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const inbox = new Inbox<WatchMessage>();
    const stream = peer.transport.watchStream('member-1', inbox);
    stream.send(watchOf('k'));
    world.lagWatches(peer, 100);
    await world.store.put('k1', '');
    world.breakStreams(peer, 'watch');
    await world.store.put('k2', '');
    await world.advance(1_000);
    expect(keysSeen(inbox)).toEqual([]);
    expect(inbox.errors).toMatchObject([{ status: 'unavailable' }]);
    expect(world.watches(peer)).toEqual([]);
    stream.close();
  });

  it('that breaks before its opening has arrived is never served', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.partition(peer, { blocks: 'requests' });
    const inbox = new Inbox<WatchMessage>();
    peer.transport.watchStream('member-1', inbox).send(watchOf('k'));
    world.breakStreams(peer, 'watch');
    world.heal(peer);
    await world.store.put('k1', '');
    expect([keysSeen(inbox), inbox.errors.length]).toEqual([[], 1]);
  });

  it('cannot be resumed where its events have been compacted away', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const first = new Inbox<WatchMessage>();
    peer.transport.watchStream('member-1', first).send(watchOf('k'));
    await world.settle();
    const compacted = world.compactUnderWatches(peer);
    await world.settle();
    expect(first.errors).toHaveLength(1);

    const second = new Inbox<WatchMessage>();
    const stream = peer.transport.watchStream('member-1', second);
    stream.send(watchOf('k', (first.messages[0]?.header.revision ?? 0n) + 1n));
    await world.settle();
    expect(second.messages.at(-1)).toMatchObject({ canceled: true, compactRevision: compacted });
    stream.close();
  });

  it('hears nothing after its close, also of what was on its way', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const inbox = new Inbox<WatchMessage>();
    const stream = peer.transport.watchStream('member-1', inbox);
    stream.send(watchOf('k'));
    world.lagWatches(peer, 100);
    await world.store.put('k1', '');
    await world.settle();
    stream.close();
    await world.advance(1_000);
    expect([inbox.messages, inbox.errors]).toEqual([[], []]);
  });

  it('is listed from its creation to its cancellation', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const stream = peer.transport.watchStream('member-1', new Inbox<WatchMessage>());
    stream.send(watchOf('k'));
    expect(world.watches(peer)).toMatchObject([{ watchId: 1n }]);
    stream.send({ kind: 'cancel', watchId: 1n });
    expect(world.watches(peer)).toEqual([]);
    stream.close();
  });
});

describe('a renewal', () => {
  async function renewing(world: World) {
    const peer = world.peer();
    const { id } = await world.store.lease.grant({ ttlSeconds: 5 });
    const inbox = new Inbox<KeepAliveMessage>();
    const stream = peer.transport.keepAliveStream('member-1', inbox);
    /** Of the lease, as the store knows it. */
    const remaining = async (): Promise<number> => (await world.store.lease.timeToLive(id)).ttlSeconds;
    const end = async (): Promise<void> => {
      stream.close();
      await world.store.lease.revoke(id).catch(() => {});
    };
    return { peer, inbox, renew: () => stream.send({ lease: id }), remaining, end };
  }

  it('is answered with the full time', async () => {
    await using world = await World.open();
    const { renew, inbox, remaining, end } = await renewing(world);
    await world.advance(3_000);
    renew();
    await world.settle();
    expect([ttlsSeen(inbox), await remaining()]).toEqual([[5], 5]);
    await end();
  });

  it('whose reply is dropped has its effect, and breaks the stream', async () => {
    await using world = await World.open();
    const { peer, renew, inbox, remaining, end } = await renewing(world);
    world.dropReply(peer, { method: 'keepAlive' });
    await world.advance(3_000);
    renew();
    await world.settle();
    expect([ttlsSeen(inbox), await remaining(), inbox.errors.length]).toEqual([[], 5, 1]);
    await end();
  });

  it('that is dropped has no effect; silently, nothing is heard from then on', async () => {
    await using world = await World.open();
    const { peer, renew, inbox, remaining, end } = await renewing(world);
    world.dropRequest(peer, { method: 'keepAlive', isSilent: true });
    await world.advance(3_000);
    renew();
    renew();
    await world.settle();
    expect([ttlsSeen(inbox), await remaining(), inbox.errors.length]).toEqual([[], 2, 0]);
    await end();
  });

  it('whose reply is delayed delays those after it', async () => {
    await using world = await World.open();
    const { peer, renew, inbox, end } = await renewing(world);
    const fault = world.delayReply(peer, { method: 'keepAlive', ms: 400 });
    renew();
    renew();
    await world.advance(399);
    expect([ttlsSeen(inbox), fault.hasFired]).toEqual([[], true]);
    await world.advance(1);
    expect(ttlsSeen(inbox)).toEqual([5, 5]);
    await end();
  });

  it('is not hit by a fault that names no method', async () => {
    await using world = await World.open();
    const { peer, renew, inbox, end } = await renewing(world);
    const fault = world.dropReply(peer);
    renew();
    await world.settle();
    expect([ttlsSeen(inbox), fault.hasFired]).toEqual([[5], false]);
    await end();
  });

  it('answered by a deposed leader has the old term, the full time and no effect', async () => {
    await using world = await World.open();
    const { peer, renew, inbox, remaining, end } = await renewing(world);
    world.staleTerms(peer);
    await world.advance(3_000);
    renew();
    await world.settle();
    expect(inbox.messages).toMatchObject([
      { ttlSeconds: 5, header: { raftTerm: world.engine.raftTerm - 1n } },
    ]);
    expect(await remaining()).toBe(2);
    world.heal(peer);
    renew();
    await world.settle();
    expect(inbox.messages[1]).toMatchObject({ header: { raftTerm: world.engine.raftTerm } });
    await end();
  });

  it('answered by a deposed leader has the same old term when there is a third one', async () => {
    await using world = await World.open();
    const { peer, renew, inbox, end } = await renewing(world);
    const old = world.engine.raftTerm - 1n;
    world.staleTerms(peer);
    world.leaderChange();
    renew();
    await world.settle();
    expect(inbox.messages).toMatchObject([{ header: { raftTerm: old } }]);
    world.heal(peer);
    await end();
  });

  it('counts anew for every lease when the leader changes', async () => {
    await using world = await World.open();
    const { remaining, end } = await renewing(world);
    const term = world.engine.raftTerm;
    await world.advance(3_000);
    world.leaderChange();
    expect([await remaining(), world.engine.raftTerm]).toEqual([5, term + 1n]);
    await end();
  });
});
