import type { Conclave } from '../../src/index.js';
import type { World } from '../../src/testing/index.js';
import type { Dice } from '../lock/fuzz/dice.js';

/** Something goes wrong for a client, now or with one of its next requests; or something that was wrong is right again. */
export async function disturb(world: World, dice: Dice, client: Conclave, compacts: boolean): Promise<void> {
  const ms = dice.below(20_000);
  const faults: { weight: number; hit: () => unknown }[] = [
    { weight: 3, hit: () => world.partition(client, { refuses: dice.oneIn(2) }) },
    { weight: 2, hit: () => world.partition(client, { blocks: 'replies' }) },
    { weight: 4, hit: () => world.heal(client) },
    { weight: 2, hit: () => world.lagWatches(client, [0, dice.below(1_500)]) },
    {
      weight: 2,
      hit: () => world.latency(client, { requestMs: [0, dice.below(200)], replyMs: [0, dice.below(200)] }),
    },
    { weight: 3, hit: () => world.dropReply(client, { method: 'txn' }) },
    { weight: 2, hit: () => world.dropRequest(client, { method: 'txn' }) },
    { weight: 3, hit: () => world.delayRequest(client, { method: 'txn', ms }) },
    { weight: 3, hit: () => world.repeatRequest(client, { method: 'txn', ms }) },
    { weight: 3, hit: () => world.breakStreams(client, dice.pick(['watch', 'keepAlive'])) },
    { weight: 1, hit: () => world.pause(client) },
    { weight: 4, hit: () => world.resume(client) },
    { weight: 1, hit: () => world.leaderChange() },
    { weight: 1, hit: () => world.jumpWall(client, dice.pick([-5_000, 2_000, 60_000])) },
    { weight: compacts ? 2 : 0, hit: () => world.compactUnderWatches(client) },
    // It may have none at the moment.
    { weight: 1, hit: () => world.expireSession(client).catch(() => {}) },
  ];
  await dice.pickWeighted(faults).hit();
}

export function mend(world: World, clients: readonly Conclave[]): void {
  for (const client of clients) {
    world.heal(client);
    world.resume(client);
    world.lagWatches(client, 0);
    world.latency(client, {});
  }
}
