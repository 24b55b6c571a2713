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
