import { describe, expect, it } from 'vitest';
import type { Conclave } from '../../src/index.js';
import { World } from '../../src/testing/index.js';

describe('the order of a lane', () => {
  it(
    'is that of the calls that followed each other, with many producers, many workers and floors that move',
    { timeout: 60_000 },
    async () => {
      await using world = await World.open();
      const clients = await Promise.all(Array.from({ length: 4 }, () => world.client()));
      const [observer] = clients;
      /** When enqueues began and ended, in steps of this test. */
      const put = new Map<number, { begun: number; ended: number }>();
      const taken: { value: number; token: number }[] = [];
      let clock = 0;
      for (const client of clients) world.latency(client, { requestMs: [0, 5], replyMs: [0, 5] });
      const total = 600;
      const produce = async (client: Conclave, from: number): Promise<void> => {
        for (let value = from; value < total; value += clients.length) {
          const times = { begun: ++clock, ended: 0 };
          put.set(value, times);
          await client.queue('q').enqueue(value);
          times.ended = ++clock;
        }
      };
      const consume = async (client: Conclave): Promise<void> => {
        const queue = client.queue('q');
        while (taken.length < total) {
          const delivery = await queue.receive({ timeoutMs: 2_000 }).catch(() => undefined);
          if (!delivery) continue;
          taken.push({ value: delivery.value as number, token: Number(delivery.fencingToken) });
          await delivery.ack();
        }
      };

      await world.run(
        Promise.all([...clients.map((client, i) => produce(client, i)), ...clients.map(consume)]),
        { limitMs: 600_000 },
      );

      // Whatever was claimed later must not have been confirmed before what was claimed earlier was begun.
      const violations: number[] = [];
      let earliestEnd = Infinity;
      for (const { value } of taken.sort((a, b) => b.token - a.token)) {
        const { begun, ended } = put.get(value)!;
        if (earliestEnd < begun) violations.push(value);
        earliestEnd = Math.min(earliestEnd, ended);
      }
      expect(taken).toHaveLength(total);
      expect(violations).toEqual([]);
      const [floor] = (await world.store.get('conclave/queue/q/floor/ready/0')).kvs;
      expect(floor!.version).toBeGreaterThan(1n);
      expect(await world.run(observer!.queue('q').inspect())).toMatchObject({ ready: 0, running: [] });
    },
  );
});
