import { describe, expect, it } from 'vitest';
import type { Conclave } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from './observe.js';

type Locks = (client: Conclave) => {
  acquire(): Promise<{ release(): Promise<void> }>;
  run(work: () => Promise<void>): Promise<void>;
};

describe.each<[string, Locks]>([
  ['a mutex', (client) => client.mutex('m')],
  ['a writer', (client) => client.rwLock('l').write],
  ['several mutexes', (client) => client.multiLock(['m', 'n'])],
])('the release of %s', (_, lock) => {
  it('is a loss if the store had removed the lease before, whichever answer comes first', async () => {
    await using world = await World.open();
    const [client, other] = [await world.client(), await world.client()];
    const hold = await lock(client).acquire();
    const next = lock(other).acquire();
    world.suspend(client); // no clock of it runs on but that on the wall
    await world.advance(60_000);
    const following = await next;
    world.resume(client); // the news of its lease, and the answer to its release, are on their way

    expect(await world.run(outcome(hold.release()))).toMatchObject({ code: 'HOLD_LOST' });
    await following.release();
  });

  it('is a loss if the lease is revoked before the request arrives', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await lock(client).acquire();
    world.dropRequest(client, { method: 'txn', nth: 1 });
    const releasing = outcome(hold.release());
    await world.expireSession(client);

    expect(await world.run(releasing)).toMatchObject({ code: 'HOLD_LOST' });
  });

  it('after the function that ran under it, while the machine slept, makes run reject', async () => {
    await using world = await World.open();
    const client = await world.client();
    let wake = (): void => {};
    const running = outcome(lock(client).run(() => new Promise((resolve) => (wake = resolve))));
    await world.settle();
    world.suspend(client);
    await world.advance(60_000);
    world.resume(client);
    wake();

    expect(await world.run(running)).toMatchObject({ code: 'HOLD_LOST' });
  });

  it('is a loss if the machine slept, and the store cannot be asked any more how that went', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await lock(client).acquire();
    world.partition(client);
    world.suspend(client);
    await world.advance(60_000);
    world.resume(client);

    expect(await world.run(outcome(hold.release()))).toMatchObject({ code: 'HOLD_LOST' });
    world.heal(client);
  });

  it('is one if the store cannot be reached until the time of the session is over', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await lock(client).acquire();
    world.partition(client);

    expect(await world.run(outcome(hold.release()))).toBeUndefined();
    world.heal(client);
  });
});
