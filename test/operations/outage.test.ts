import { expect, it } from 'vitest';
import { compare, put, toText } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';

it('after an outage that has cost every session locks are to be had again, leaders lead and workers work, without a restart', async () => {
  await using world = await World.open();
  const clients = await Promise.all([1, 2, 3].map(() => world.client()));
  const stop = new AbortController();
  const { signal } = stop;
  const reigns: bigint[] = [];
  const done: unknown[] = [];
  const lives = clients.flatMap((client) => [
    client.election('e').lead(
      async (leadership) => {
        reigns.push(leadership.fencingToken);
        await new Promise((end) => leadership.signal.addEventListener('abort', end));
      },
      { signal },
    ),
    client.queue('q').work((delivery) => void done.push(delivery.value), { signal }),
  ]);
  const interrupted = outcome(clients[0]!.mutex('m').run((hold) => aborted(hold.signal)));
  await world.advance(1_000);
  await clients[0]!.queue('q').enqueue('before');
  await world.advance(1_000);

  for (const client of clients) world.partition(client);
  await world.advance(60_000);
  expect(await interrupted).toMatchObject({ code: 'HOLD_LOST', cause: { reason: 'expired' } });
  for (const client of clients) world.heal(client);
  await world.advance(30_000);

  await world.run(clients[1]!.queue('q').enqueue('after'));
  await world.run(clients[2]!.mutex('m').run(() => {}));
  await world.advance(5_000);
  expect(done).toEqual(['before', 'after']);
  expect(reigns.length).toBeGreaterThan(1);
  expect(await clients[0]!.election('e').leader()).toMatchObject({ fencingToken: reigns.at(-1) });
  stop.abort();
  await world.run(Promise.allSettled(lives));
});

it('a lock alone lets a late write through, and the token keeps it out', async () => {
  await using world = await World.open();
  world.allowKeys('db/');
  const [late, next] = [await world.client(), await world.client()];
  /** A database that is reached by another way than the lock. */
  const plain = (value: string): Promise<unknown> => world.store.put('db/plain', value);
  const fenced = (value: string, token: bigint): Promise<unknown> =>
    world.store.txn({
      if: [compare.value('db/fence', '<', String(token).padStart(20, '0'))],
      then: [put('db/fenced', value), put('db/fence', String(token).padStart(20, '0'))],
    });
  await world.store.put('db/fence', '');
  const old = await late.mutex('m').acquire();
  world.pause(late);
  const taking = next.mutex('m').acquire();
  await world.advance(20_000);
  const hold = await taking;
  await plain('new');
  await fenced('new', hold.fencingToken);

  await plain('old');
  await fenced('old', old.fencingToken);

  const read = async (key: string): Promise<string> =>
    toText((await world.store.get(key)).kvs[0]?.value ?? new Uint8Array());
  expect([await read('db/plain'), await read('db/fenced')]).toEqual(['old', 'new']);
  await hold.release();
  world.resume(late);
});

/** Ends as a careful function does: when it is told to. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((end) => signal.addEventListener('abort', () => end()));
}
