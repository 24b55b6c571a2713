import type { Conclave } from '../../src/index.js';
import type { World } from '../../src/testing/index.js';
import type { Random } from '../../src/testing/random.js';

/** Something goes wrong for a client, now or with one of its next requests. */
export async function torment(world: World, client: Conclave, random: Random): Promise<void> {
  const at = { method: 'txn', nth: Math.ceil(random.between(0, 4)), isSilent: random.next() < 0.3 } as const;
  const ms = random.between(10, 20_000);
  const torments: readonly (() => unknown)[] = [
    () => world.dropRequest(client, at),
    () => world.dropReply(client, at),
    () => world.delayRequest(client, { ...at, ms }),
    () => world.repeatRequest(client, { ...at, ms }),
    () => world.breakStreams(client, 'watch'),
    () => world.compactUnderWatches(client),
    () => world.lagWatches(client, [0, random.between(0, 3_000)]),
    () => world.latency(client, { requestMs: [0, 40], replyMs: [0, 40] }),
    // It may have none at the moment.
    async () => random.next() < 0.3 && world.expireSession(client).catch(() => {}),
  ];
  await torments[Math.floor(random.between(0, torments.length))]?.();
}
