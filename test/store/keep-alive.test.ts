import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AlreadyExistsError, ClosedError } from '../../src/base/errors.js';
import { Endpoints } from '../../src/store/endpoints.js';
import { KeepAlive, type KeptLease, type Renewal } from '../../src/store/keep-alive.js';
import { ManualRuntime } from './manual-runtime.js';
import { type KeepAliveStream, ScriptedTransport } from './scripted-transport.js';

/** Of 6 s: renewed every 2 s, silent after 1 s. */
const ttlMs = 6_000;
let runtime: ManualRuntime;
let transport: ScriptedTransport;
let endpoints: Endpoints;
let keepAlive: KeepAlive;

beforeEach(() => {
  runtime = new ManualRuntime();
  transport = new ScriptedTransport('a', 'b', 'c');
  endpoints = new Endpoints(runtime, transport.endpoints);
  keepAlive = new KeepAlive(transport, runtime, endpoints);
});

afterEach(() => {
  keepAlive.close();
  expect(runtime.pendingTimers, 'timers left').toBe(0);
  expect(transport.keepAliveStreams.every(({ isClosed }) => isClosed)).toBe(true);
});

interface Kept {
  readonly lease: KeptLease;
  readonly renewals: Renewal[];
  goneCount: number;
  asked: number;
  mayRenew: () => boolean;
  onRenewed: () => void;
}

function keep(id: bigint, ttl = ttlMs): Kept {
  const kept: Omit<Kept, 'lease'> & { lease?: KeptLease } = {
    renewals: [],
    goneCount: 0,
    asked: 0,
    mayRenew: () => true,
    onRenewed: () => {},
  };
  kept.lease = keepAlive.add(
    id,
    { ttlMs: ttl, sentAt: runtime.now() },
    {
      renewed: (renewal) => {
        kept.renewals.push(renewal);
        kept.onRenewed();
      },
      gone: () => kept.goneCount++,
      mayRenew: () => {
        kept.asked++;
        return kept.mayRenew();
      },
    },
  );
  return kept as Kept;
}

const stream = (): KeepAliveStream => transport.keepAliveStreams.at(-1)!;
const asked = (): string[] => transport.keepAliveStreams.map(({ endpoint }) => endpoint);

describe('a lease that is kept', () => {
  it('is renewed every third of its TTL, all on one stream', async () => {
    const kept = keep(1n);
    expect(transport.keepAliveStreams).toEqual([]);
    for (const sends of [1, 2, 3]) {
      await runtime.advance(ttlMs / 3);
      expect(stream().leases).toEqual(new Array(sends).fill(1n));
      stream().renewed(1n, 6);
    }
    expect(kept.renewals.map(({ sentAt }) => sentAt)).toEqual([2_000, 4_000, 6_000]);
    expect(asked()).toEqual(['a']);
  });

  it('is proved from the time of the send, on both clocks, however late the answer', async () => {
    const kept = keep(1n);
    await runtime.advance(2_000);
    const wall = runtime.wallNow();
    await runtime.advance(900);
    runtime.wallOffsetMs += 7_000;
    stream().renewed(1n, 6);
    expect(kept.renewals).toEqual([{ sentAt: 2_000, sentAtWall: wall, ttlSeconds: 6 }]);
  });

  it('has its answers matched to its own sends, first in first out', async () => {
    const [one, two] = [keep(1n), keep(2n)];
    one.lease.renewNow();
    await runtime.advance(100);
    one.lease.renewNow();
    two.lease.renewNow();
    stream().renewed(2n, 6);
    stream().renewed(1n, 6);
    expect(one.renewals.map(({ sentAt }) => sentAt)).toEqual([0]);
    expect(two.renewals.map(({ sentAt }) => sentAt)).toEqual([100]);
    stream().renewed(1n, 6);
    expect(one.renewals.map(({ sentAt }) => sentAt)).toEqual([0, 100]);
    stream().renewed(1n, 6);
    expect(one.renewals, 'an answer to nothing proves nothing').toHaveLength(2);
  });

  it('is renewed by the TTL the store last said', async () => {
    const kept = keep(1n);
    kept.lease.renewNow();
    stream().renewed(1n, 60);
    await runtime.advance(2_000);
    stream().renewed(1n, 60);
    await runtime.advance(19_999);
    expect(stream().leases).toHaveLength(2);
    await runtime.advance(1);
    expect(stream().leases).toHaveLength(3);
    await runtime.advance(9_999);
    expect(transport.resets).toEqual([]);
    await runtime.advance(1);
    expect(transport.resets, 'a sixth of it is silence').toEqual(['a']);
  });

  it('is kept once per connection', () => {
    keep(1n);
    expect(() => keep(1n)).toThrow(AlreadyExistsError);
  });

  it.each([0, -1, NaN, Infinity])('has no TTL of %d ms', (bad) => {
    expect(() => keep(1n, bad)).toThrow(RangeError);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('is gone when the store says so, and that is the last of it', async () => {
    const kept = keep(1n);
    const other = keep(2n);
    kept.lease.renewNow();
    kept.lease.renewNow();
    stream().renewed(1n, 0);
    stream().renewed(1n, 6);
    expect([kept.goneCount, kept.renewals.length]).toEqual([1, 0]);
    await runtime.advance(2_000);
    expect(stream().leases).toEqual([1n, 1n, 2n]);
    expect(other.goneCount).toBe(0);
  });

  it('is not sent once it may not be renewed, and not asked again', async () => {
    const [kept, other] = [keep(1n), keep(2n)];
    kept.mayRenew = () => false;
    await runtime.advance(2_000);
    expect(stream().leases).toEqual([2n]);
    stream().renewed(2n, 6);
    await runtime.advance(2_000);
    expect(kept.asked).toBe(1);
    expect(other.asked).toBe(2);
  });

  it('that is stopped is neither sent nor told anything; the last one ends stream and timer', async () => {
    const [one, two] = [keep(1n), keep(2n)];
    one.lease.renewNow();
    one.lease.stop();
    one.lease.stop();
    stream().renewed(1n, 6);
    stream().renewed(1n, 0);
    one.lease.renewNow();
    await runtime.advance(2_000);
    expect([one.renewals, one.goneCount, one.asked]).toEqual([[], 0, 1]);
    expect(stream().leases).toEqual([1n, 2n]);
    two.lease.stop();
    expect(stream().isClosed).toBe(true);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('can be kept again after it was stopped; what belongs to its first life counts for nothing', () => {
    const first = keep(1n);
    keep(2n);
    first.lease.renewNow();
    first.lease.stop();
    const second = keep(1n);
    first.lease.stop();
    first.lease.renewNow();
    stream().renewed(1n, 6);
    expect([...first.renewals, ...second.renewals]).toEqual([]);
    expect(stream().leases).toEqual([1n]);
  });

  it('may stop itself and others from inside its own callbacks', async () => {
    const [one, two, three] = [keep(1n), keep(2n), keep(3n)];
    one.mayRenew = () => {
      two.lease.stop();
      return true;
    };
    three.mayRenew = () => {
      three.lease.stop();
      return true;
    };
    await runtime.advance(2_000);
    expect(stream().leases).toEqual([1n]);
    expect(two.asked).toBe(0);
    one.onRenewed = () => one.lease.stop();
    stream().renewed(1n, 6);
    expect(stream().isClosed).toBe(true);
  });

  it('may be the last and end everything from inside its own question', async () => {
    const kept = keep(1n);
    kept.mayRenew = () => {
      keepAlive.close();
      return true;
    };
    await runtime.advance(2_000);
    expect(stream().leases).toEqual([]);
    expect(runtime.pendingTimers).toBe(0);
  });
});

describe('a stream', () => {
  it.each([
    [6_000, 1_000],
    [2_000, 500],
    [60_000, 10_000],
  ])(
    'that leaves a lease of %d ms unanswered for %d ms is replaced on another endpoint, at once',
    async (ttl, silence) => {
      runtime.chance = 0.999;
      transport.onReset = () => stream().end(); // as a real transport does
      keep(1n, ttl);
      keep(2n, 600_000);
      await runtime.advance(ttl / 3 + silence - 1);
      expect(asked()).toEqual(['a']);
      await runtime.advance(1);
      expect(asked()).toEqual(['a', 'b']);
      expect(transport.resets).toEqual(['a']);
      expect(stream().leases, 'all leases are sent again').toEqual([1n, 2n]);
    },
  );

  it('that ended is replaced at once the first time, then after pauses, and all leases are sent again', async () => {
    runtime.chance = 0.5;
    const kept = keep(1n);
    kept.lease.renewNow();
    stream().end();
    await runtime.advance(0);
    expect(asked()).toEqual(['a', 'b']);
    stream().end();
    await runtime.advance(39);
    expect(asked()).toEqual(['a', 'b']);
    await runtime.advance(1);
    expect(asked()).toEqual(['a', 'b', 'c']);
    expect(stream().leases).toEqual([1n]);
    stream().renewed(1n, 6);
    stream().end();
    await runtime.advance(0);
    expect(asked(), 'an answer makes the next failure the first').toHaveLength(4);
  });

  it('is replaced at most every half second on average, however long the store is away', async () => {
    runtime.chance = 0.5;
    keep(1n).lease.renewNow();
    const onKeepAliveStream = transport.keepAliveStream.bind(transport);
    transport.keepAliveStream = (endpoint, listener) => {
      const created = onKeepAliveStream(endpoint, listener);
      void Promise.resolve().then(() => created.end());
      return created;
    };
    stream().end();
    await runtime.advance(60_000);
    expect(transport.keepAliveStreams.length).toBeLessThan(260);
  });

  it('that is not the current one proves nothing', async () => {
    const kept = keep(1n);
    kept.lease.renewNow();
    const old = stream();
    old.end();
    await runtime.advance(0);
    old.renewed(1n, 6);
    old.renewed(1n, 0);
    old.end();
    expect([kept.renewals, kept.goneCount, asked()]).toEqual([[], 0, ['a', 'b']]);
    stream().renewed(1n, 6);
    expect(kept.renewals).toHaveLength(1);
  });

  it('does not match its answers to sends on the one before', async () => {
    const kept = keep(1n);
    kept.lease.renewNow();
    await runtime.advance(100);
    stream().end();
    await runtime.advance(0);
    stream().renewed(1n, 6);
    expect(kept.renewals.map(({ sentAt }) => sentAt)).toEqual([100]);
  });

  it('answered by a member with an old raft term is left; nothing it said counts', async () => {
    endpoints.sawTerm(5n);
    const [one, two] = [keep(1n), keep(2n)];
    one.lease.renewNow();
    two.lease.renewNow();
    stream().renewed(1n, 6, 4n);
    stream().renewed(2n, 0, 4n);
    expect([one.renewals, two.goneCount]).toEqual([[], 0]);
    await runtime.advance(0);
    expect(asked()).toEqual(['a', 'b']);
    stream().renewed(1n, 6, 5n);
    expect(one.renewals).toHaveLength(1);
  });

  it('with an answer in the last moment is not judged', async () => {
    keep(1n);
    await runtime.advance(2_999);
    stream().renewed(1n, 6);
    await runtime.advance(1);
    expect(transport.resets).toEqual([]);
  });
});

describe('a process that stood still', () => {
  it('reads the answers that lie in the socket before it judges the stream', async () => {
    const kept = keep(1n);
    await runtime.advance(2_000);
    runtime.standStill(3_000);
    await runtime.advance(1);
    expect(transport.resets).toEqual([]);
    stream().renewed(1n, 6);
    await runtime.advance(9);
    expect(transport.resets).toEqual([]);
    expect(kept.renewals.map(({ sentAt }) => sentAt)).toEqual([2_000]);
    expect(stream().leases, 'and renews what is overdue').toHaveLength(2);
  });

  it('judges it soon after', async () => {
    keep(1n);
    await runtime.advance(2_000);
    runtime.standStill(3_000);
    await runtime.advance(10);
    expect(transport.resets).toEqual(['a']);
  });

  it('does not judge it when it is asked for a renewal first', async () => {
    const kept = keep(1n);
    await runtime.advance(2_000);
    runtime.standStill(3_000);
    kept.lease.renewNow();
    expect(transport.resets).toEqual([]);
    stream().renewed(1n, 6);
    stream().renewed(1n, 6);
    expect(kept.renewals.map(({ sentAt }) => sentAt)).toEqual([2_000, 5_000]);
  });

  it('sends no renewal for a lease past its deadline', async () => {
    const kept = keep(1n);
    kept.mayRenew = () => runtime.now() < 6_000;
    runtime.standStill(7_000);
    await runtime.advance(20);
    expect(transport.keepAliveStreams.flatMap(({ leases }) => leases)).toEqual([]);
  });
});

it('keeps 1,000 leases on one stream, in time', async () => {
  const startedAt = performance.now();
  const all = Array.from({ length: 1_000 }, (_, i) => keep(BigInt(i + 1)));
  for (let round = 1; round <= 3; round++) {
    await runtime.advance(2_000);
    expect(stream().leases).toHaveLength(1_000 * round);
    for (const { lease } of all) stream().renewed(lease.id, 6);
  }
  expect(all.every(({ renewals }) => renewals.length === 3)).toBe(true);
  expect(asked()).toEqual(['a']);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

it('keeps nothing after its close', async () => {
  const kept = keep(1n);
  kept.lease.renewNow();
  keepAlive.close();
  stream().renewed(1n, 6);
  expect(() => keep(2n)).toThrow(ClosedError);
  kept.lease.renewNow();
  await runtime.advance(60_000);
  expect(kept.renewals).toEqual([]);
  expect(asked()).toHaveLength(1);
});
