import { expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';

/** A pause of up to 20 ms before the next connection. */
const reconnectMs = 20;

it.each([
  { sessionTtlMs: 5_000, limitMs: 5_000 / 3 },
  { sessionTtlMs: 9_000, limitMs: 9_000 / 3 },
  { sessionTtlMs: 30_000, limitMs: 3_000 },
  // Sooner than a busy member answers is too soon.
  { sessionTtlMs: 2_000, limitMs: 1_600 },
])('a member whose watches fall silent is left within $limitMs ms', async ({ sessionTtlMs, limitMs }) => {
  for (let seed = 1; seed <= 10; seed++) {
    await using world = await World.open({ seed });
    const client = await world.client({ sessionTtlMs });
    await world.run(client.mutex('m').acquire());
    const watching = async (): Promise<void> => {
      for await (const notice of client.store.watch('app')) if (notice.kind === 'events') return;
    };
    const told = watching();
    await world.advance(1_000 + 137 * seed);
    const creations = (): string[] =>
      world
        .calls(client)
        .filter(({ method }) => method === 'watch')
        .map(({ endpoint }) => endpoint);
    const before = creations();
    const silentMember = before.at(-1)!;
    world.silence(silentMember);
    const began = world.now();
    while (creations().length === before.length && world.now() < began + 10_000) await world.advance(5);
    expect(creations().at(-1)).not.toBe(silentMember);
    expect(world.now() - began).toBeLessThanOrEqual(limitMs + reconnectMs + 5);
    world.wake(silentMember);
    await client.store.put('app', '');
    await world.run(told);
    await client.store.remove('app');
  }
});
