import { expect, it } from 'vitest';
import type { Conclave } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { documentedTable } from './document.js';

interface Scene {
  readonly world: World;
  /** Its session is open. */
  readonly one: Conclave;
  readonly other: Conclave;
}

/** What an operation needs before it can be counted, and the operation. */
type Operation = (scene: Scene) => Promise<() => Promise<unknown>>;

const operations: Readonly<Record<string, Operation>> = {
  'a free lock: acquire': async ({ one }) => Promise.resolve(() => one.mutex('m').acquire()),
  release: async ({ one }) => {
    const hold = await one.mutex('m').acquire();
    return () => hold.release();
  },
  'tryAcquire of a lock that is taken': async ({ one, other }) => {
    await other.mutex('m').acquire();
    return () => one.mutex('m').tryAcquire();
  },
  'a lock that others hold: to stand in line, until it is granted': async ({ world, one, other }) => {
    const hold = await other.mutex('m').acquire();
    return async () => {
      const acquiring = one.mutex('m').acquire();
      await world.advance(1_000);
      await hold.release();
      await acquiring;
    };
  },
  'enqueue, of one job or of 40 at a time': async ({ one }) => {
    await one.queue('q').enqueue('before');
    const jobs = Array.from({ length: 40 }, (_, value) => ({ value }));
    return () => one.queue('q').enqueueAll(jobs);
  },
  'receive, of one job or of the next 16 at a time': async ({ one, world }) => {
    const queue = one.queue('q');
    await queue.enqueueAll(Array.from({ length: 17 }, (_, value) => ({ value })));
    await (await queue.receive()).ack();
    await world.settle();
    return () => Promise.all(Array.from({ length: 16 }, () => queue.receive()));
  },
  ack: async ({ one, world }) => {
    await one.queue('q').enqueueAll([{ value: 1 }, { value: 2 }]);
    const delivery = await one.queue('q').receive();
    await world.settle();
    return () => delivery.ack();
  },
  'counter.add': async ({ one }) => {
    const counter = one.counter('c');
    await counter.add();
    return () => counter.add();
  },
};

const openingASession = 'the session, with the first call that needs it';
/** Made by the other client of the scene. */
const byOthers: Readonly<Record<string, number>> = {
  'a lock that others hold: to stand in line, until it is granted': 1,
};

it('each operation costs what docs/operations.md says', async () => {
  const rows = documentedTable('operation');
  expect(rows.map(([what]) => what)).toEqual([openingASession, ...Object.keys(operations)]);
  for (const [what = '', requests, revisions] of rows) {
    await using world = await World.open();
    const options = { sessionTtlMs: 600_000 };
    const [one, other] = [await world.client(options), await world.client(options)];
    for (const client of [one, other]) await client.mutex('warm-up').run(() => {});
    const fresh = await world.client(options);
    const operation = operations[what];
    const [client, work] = operation
      ? [one, await operation({ world, one, other })]
      : [fresh, () => fresh.withSession()];
    const [calls, revision] = [world.calls(client).filter(isRequest).length, world.revision];

    await work();

    const cost = {
      requests: world.calls(client).filter(isRequest).length - calls,
      revisions: Number(world.revision - revision) - (byOthers[what] ?? 0),
    };
    expect({ what, ...cost }).toEqual({
      what,
      requests: Number(requests),
      revisions: Number(revisions),
    });
  }
});

function isRequest({ method }: { readonly method: string }): boolean {
  return method !== 'watch' && method !== 'keepAlive';
}

it('a process has one session, and one watch on a lock however many of its tasks wait for it', async () => {
  await using world = await World.open();
  const [holder, client] = [await world.client(), await world.client()];
  const hold = await holder.mutex('m').acquire();

  const waiting = Array.from({ length: 50 }, () => client.mutex('m').run(() => {}));
  const elsewhere = Array.from({ length: 50 }, (_, i) => client.mutex(`free/${i}`).acquire());
  await Promise.all(elsewhere);
  await world.advance(1_000);

  const { leases } = await world.store.lease.list();
  expect(leases).toHaveLength(2);
  const onTheLock = world
    .watches(client)
    .filter(({ range }) => Buffer.from(range.key).toString().startsWith('conclave/lock/m/'));
  expect(onTheLock).toHaveLength(1);
  await hold.release();
  await world.run(Promise.all(waiting));
});
