import { expect, it } from 'vitest';

import { World } from '../../src/testing/world.js';
import { outcome } from '../lock/observe.js';

it('an ack is never confirmed to a worker whose session had ended before, though its first request is lost', async () => {
  await using world = await World.open();
  const [slow, other] = [await world.client(), await world.client()];
  await other.queue('q').enqueue('x');
  const delivery = await slow.queue('q').receive();
  world.lagWatches(slow, 60_000);
  world.dropRequest(slow, { method: 'txn', isSilent: true });
  const acking = outcome(delivery.ack());
  await world.settle();
  await world.expireSession(slow);
  const next = other.queue('q').receive();
  await world.advance(2_000);
  await (await next).ack();
  await world.advance(60_000);
  expect(await acking).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
});

/** A session that the store ends while the answer to an ack is on its way. */
async function endWhileAcking(isInTime: boolean): Promise<unknown> {
  await using world = await World.open();
  const [slow, other] = [await world.client(), await world.client()];
  await other.queue('q').enqueue('x');
  const delivery = await slow.queue('q').receive();
  if (isInTime) world.delayReply(slow, { method: 'txn', ms: 300 });
  else world.latency(slow, { requestMs: 300 });
  const acking = outcome(delivery.ack());
  await world.settle();
  await world.expireSession(slow);
  const next = isInTime ? undefined : other.queue('q').receive();
  await world.advance(3_000);
  await (await next)?.ack();
  expect(await other.queue('q').inspect()).toMatchObject({ ready: 0, running: [] });
  return await acking;
}

it('an ack that the store got in time is confirmed, though the end of the session is heard of first', async () => {
  expect(await endWhileAcking(true)).toBeUndefined();
});

it('an ack that came too late is refused, though the end of the session is heard of first', async () => {
  expect(await endWhileAcking(false)).toMatchObject({ code: 'HOLD_LOST' });
});
