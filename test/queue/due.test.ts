import { expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';

it('a delayed job is ready at its time, also after the history behind a watch was compacted away', async () => {
  await using world = await World.open();
  const client = await world.client();
  const producer = (await world.client()).queue('q');
  const queue = client.queue('q');
  const first = queue.receive();
  await producer.enqueue('first');
  await (await world.run(first)).ack();
  await world.advance(31_000);
  world.compactUnderWatches(client);
  await world.advance(1_000);

  const now = 1_700_000_000_000 + world.now();
  await producer.enqueue('x', { runAt: now + 2_000 });
  await world.advance(2_500);

  expect(await producer.inspect()).toMatchObject({ delayed: 0, ready: 1 });
});
