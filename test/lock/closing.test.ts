import { describe, expect, it } from 'vitest';
import { ClosedError, type Conclave, type Hold } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from './observe.js';

/** Further than any grant takes, in turns of the microtask queue from the call, or from the release before it. */
const lastTurn = 45;

/** Begins to take the lock, and resolves when `close` may come. */
type Beginning = (client: Conclave) => Promise<{ granted: Promise<unknown> }>;

const beginnings: Readonly<Record<string, Beginning>> = {
  'a first acquire': (client) => Promise.resolve({ granted: outcome(client.mutex('m').acquire()) }),
  tryAcquire: (client) => Promise.resolve({ granted: outcome(client.mutex('m').tryAcquire()) }),
  'a hand-over in the same process': async (client) => {
    const hold = await client.mutex('m').acquire();
    const granted = outcome(client.mutex('m').acquire());
    await hold.release();
    return { granted };
  },
};

describe.each(Object.entries(beginnings))('close at any moment of %s', (_, begin) => {
  it('leaves no hold that was not told to stop, and no key', async () => {
    for (let turns = 0; turns < lastTurn; turns++) {
      await using world = await World.open();
      const client = await world.client();
      await (await client.mutex('warm-up').acquire()).release();

      const { granted } = await begin(client);
      for (let turn = 0; turn < turns; turn++) await undefined;
      await client.close();

      const result = await granted;
      if (result instanceof Error) expect(result).toBeInstanceOf(ClosedError);
      else expect((result as Hold).signal.reason).toBeInstanceOf(ClosedError);
      expect((await world.store.lease.list()).leases).toEqual([]);
    }
  });
});

describe('close', () => {
  it('ends a session that is being opened for withSession', async () => {
    await using world = await World.open();
    const client = await world.client();
    const opening = outcome(client.withSession());

    await client.close();

    expect(await opening).toBeInstanceOf(ClosedError);
    expect((await world.store.lease.list()).leases).toEqual([]);
  });

  it('waits for a session of its own that is being closed already', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    let isDone = false;
    const running = own.mutex('m').run(async (hold) => {
      await new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
      await world.store.get('anything');
      isDone = true;
    });
    await world.settle();

    void own.close();
    await client.close();

    expect(isDone).toBe(true);
    await running;
    expect((await world.store.lease.list()).leases).toEqual([]);
  });
});
