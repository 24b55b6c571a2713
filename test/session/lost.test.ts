import { expect, it } from 'vitest';
import { Conclave } from '../../src/index.js';
import { World } from '../../src/testing/index.js';

it('a session that was lost leaves no timer behind once all is closed', async () => {
  await using world = await World.open();
  const peer = world.peer();
  const { runtime, transport } = peer;
  const conclave = Conclave.over(transport, { runtime, sessionTtlMs: 3_000 });
  const hold = await conclave.mutex('m').acquire();
  world.partition(peer);
  while (!hold.signal.aborted) await world.advance(50);
  world.heal(peer);
  await world.run(conclave.close());
  expect(runtime.pendingTimers).toEqual([]);
});
