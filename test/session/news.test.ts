import { afterEach, expect, it, vi } from 'vitest';
import { World } from '../../src/testing/index.js';
import { News } from '../../src/session/news.js';
import { ticketNameIn } from '../../src/base/keys.js';
import { outcome } from '../lock/observe.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** @returns the tickets whose news has begun and not ended */
function following(): () => string[] {
  const begin = vi.spyOn(News.prototype, 'begin');
  const end = vi.spyOn(News.prototype, 'end');
  return () => {
    const ended = new Set(end.mock.calls.map(([key]) => ticketNameIn(key)));
    return begin.mock.calls.map(([ticket]) => ticket).filter((ticket) => !ended.has(ticket));
  };
}

it('the news of a ticket ends with it, however it ends', async () => {
  const open = following();
  await using world = await World.open();
  const client = await world.client({ sessionTtlMs: 60_000 });
  const other = await world.client({ sessionTtlMs: 60_000 });
  await using blocking = await other.mutex('m').acquire();
  const before = open();
  expect(before).toHaveLength(1);

  await (await client.mutex('free').acquire()).release();
  await client.mutex('m').tryAcquire();
  await client.rwLock('l').read.run((hold) => hold.tryUpgrade());
  await (await (await client.rwLock('l').write.acquire()).downgrade()).release();
  await (await client.multiLock(['a', 'b']).acquire()).release();
  const first = await client.mutex('free').acquire();
  const second = client.mutex('free').acquire();
  await first.release();
  await (await second).release();
  const waiting = outcome(client.mutex('m').acquire({ timeoutMs: 100 }));
  await world.advance(100);
  await waiting;
  world.dropReply(client, { method: 'txn' });
  await (await world.run(client.mutex('free').acquire())).release();
  const lost = await client.mutex('lost').acquire();
  await other.forceRelease('mutex', 'lost', { reason: 'x' });
  await world.settle();
  expect(lost.isHeld()).toBe(false);
  world.delayRequest(client, { method: 'txn', ms: 5_000, isSilent: true });
  await world.run(outcome(client.mutex('m').acquire({ timeoutMs: 1_000 })));
  await world.advance(20_000);

  expect(open()).toEqual(before);
  expect(blocking.isHeld()).toBe(true);
});
