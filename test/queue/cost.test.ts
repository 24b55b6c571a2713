import { describe, expect, it } from 'vitest';
import type { Conclave } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { isClaim } from './requests.js';

/** The requests that `work` makes, and how many of them are commits. */
async function cost(
  world: World,
  client: Conclave,
  work: () => Promise<unknown>,
): Promise<{ requests: number; commits: number; walked: number }> {
  const before = world.calls(client).length;
  const revision = world.revision;
  const walked = world.engine.keysWalked;
  await work();
  return {
    requests: world.calls(client).length - before,
    commits: Number(world.revision - revision),
    walked: world.engine.keysWalked - walked,
  };
}

/** Its session is open, and whoever looks after the queue has begun. */
async function ready(world: World): Promise<Conclave> {
  const client = await world.client({ sessionTtlMs: 600_000 });
  const queue = client.queue('q');
  await queue.enqueue('first');
  await (await queue.receive()).ack();
  await world.settle();
  return client;
}

describe('what an operation of a queue costs', () => {
  it('enqueue: two round trips, one commit, for as many as are put at a time', async () => {
    await using world = await World.open();
    const client = await ready(world);
    const queue = client.queue('q');

    const one = await cost(world, client, () => queue.enqueue('x'));
    const many = await cost(world, client, () =>
      Promise.all(Array.from({ length: 30 }, (_, i) => queue.enqueue(i))),
    );

    expect(one).toMatchObject({ requests: 2, commits: 1 });
    expect(many).toMatchObject({ requests: 2, commits: 1 });
  });

  it('receive: two round trips, one commit, for as many as are there; ack: one', async () => {
    await using world = await World.open();
    const client = await ready(world);
    const queue = client.queue('q');
    await queue.enqueueAll(Array.from({ length: 17 }, (_, value) => ({ value })));
    await (await queue.receive()).ack();

    let deliveries: Awaited<ReturnType<typeof queue.receive>>[] = [];
    const many = await cost(world, client, async () => {
      deliveries = await Promise.all(Array.from({ length: 16 }, () => queue.receive()));
    });
    const ack = await cost(world, client, async () => deliveries[0]?.ack());
    for (const delivery of deliveries.slice(1)) await delivery.ack();

    expect(many).toMatchObject({ requests: 2, commits: 1 });
    expect(ack).toMatchObject({ requests: 1, commits: 1 });
  });

  it('waiting: nothing is written, and what is read is a look now and then', async () => {
    await using world = await World.open();
    const client = await ready(world);
    const receiving = client.queue('q').receive();
    await world.advance(1_000);

    const short = await cost(world, client, () => world.advance(9_000));
    const long = await cost(world, client, () => world.advance(600_000));

    expect(short).toMatchObject({ commits: 0 });
    expect(short.requests).toBeLessThan(4);
    expect(long.commits).toBe(0);
    expect(long.requests).toBeLessThan(600_000 / 2_000);
    await client.queue('q').enqueue('x');
    await (await world.run(receiving)).ack();
  });

  it('one job for many who wait: one claim', async () => {
    await using world = await World.open();
    const clients = await Promise.all(Array.from({ length: 20 }, () => world.client()));
    const producer = await world.client();
    const receiving = [];
    for (const client of clients) {
      receiving.push(
        client
          .queue('q')
          .receive({ timeoutMs: 5_000 })
          .catch(() => undefined),
      );
      await world.advance(20);
    }

    await producer.queue('q').enqueue('x');
    await world.advance(2_000);

    const claims = clients.flatMap((client) =>
      world.calls(client).filter(({ method, request }) => method === 'txn' && isClaim(request as never)),
    );
    expect(claims).toHaveLength(1);
    await world.advance(5_000);
    for (const delivery of await Promise.all(receiving)) await delivery?.ack();
  });

  it(
    'the keys that the server walks over do not grow with how many jobs wait',
    { timeout: 60_000 },
    async () => {
      const walkedAt = async (backlog: number): Promise<{ enqueue: number; take: number }> => {
        await using world = await World.open();
        const client = await ready(world);
        const queue = client.queue('q');
        for (let put = 0; put < backlog; put += 1_000) {
          const values = Array.from({ length: Math.min(1_000, backlog) }, (_, value) => ({ value }));
          await queue.enqueueAll(values);
        }
        const rounds = 300;
        const enqueues = await cost(world, client, async () => {
          for (let i = 0; i < rounds; i++) await queue.enqueue(i);
        });
        const takes = await cost(world, client, async () => {
          for (let i = 0; i < rounds; i++) {
            await (await queue.receive()).ack();
            if (i % 3 === 0) await queue.enqueue(i);
          }
        });
        return { enqueue: enqueues.walked / rounds, take: takes.walked / rounds };
      };

      const few = await walkedAt(400);
      const many = await walkedAt(100_000);

      expect(many.enqueue).toBeLessThanOrEqual(few.enqueue * 1.3);
      expect(many.take).toBeLessThanOrEqual(few.take * 1.3);
    },
  );
});
