import { expect, it } from 'vitest';
import type { Conclave, Queue, QueueState } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { documentedTable } from './document.js';

interface Symptom {
  /** Makes the queue stand still. */
  readonly cause: (world: World, client: Conclave) => Promise<unknown>;
  readonly shows: Partial<QueueState> | Readonly<Record<string, unknown>>;
}

const queueOf = (client: Conclave): Queue => client.queue('q', { attempts: 2 });

/** By the first cell of the table. */
const symptoms: Readonly<Record<string, Symptom>> = {
  '`paused`': {
    cause: async (world, client) => {
      await queueOf(client).pause();
      await queueOf(client).enqueue('x');
      const waiting = queueOf(client)
        .receive({ timeoutMs: 5_000 })
        .catch(() => {});
      await world.advance(6_000);
      await waiting;
    },
    shows: { isPaused: true, ready: 1 },
  },
  'jobs ready, no workers, nothing running': {
    cause: (_, client) => queueOf(client).enqueue('x'),
    shows: { ready: 1, workers: 0, running: [] },
  },
  'jobs ready, all workers run something': {
    cause: async (world, client) => {
      await queueOf(client).enqueueAll([{ value: 'x' }, { value: 'y' }]);
      await world.run(queueOf(client).receive());
    },
    shows: { ready: 1, workers: 0, running: [{ isOrphan: false }] },
  },
  'jobs delayed': {
    cause: async (world, client) => {
      await queueOf(client).enqueue('x', { delayMs: 3_600_000 });
      await queueOf(client).enqueue('y');
      await (await world.run(queueOf(client).receive())).retry({ delayMs: 3_600_000 });
    },
    shows: { ready: 0, delayed: 2 },
  },
  'jobs grouped': {
    cause: async (world, client) => {
      await queueOf(client).enqueue('x', { group: 'ann' });
      await queueOf(client).enqueue('y', { group: 'ann' });
      await world.run(queueOf(client).receive());
    },
    shows: { ready: 0, grouped: 1, running: [{ isOrphan: false }] },
  },
  'a job runs, marked as lost': {
    cause: async (world, client) => {
      const worker = await world.client();
      await queueOf(client).enqueue('x');
      await world.run(queueOf(worker).receive());
      world.crash(worker);
      world.allowKeys('conclave/queue/q/active/'); // nobody looks after the queue
      await world.advance(20_000);
    },
    shows: { ready: 0, running: [{ isOrphan: true }] },
  },
  'only dead letters': {
    cause: async (world, client) => {
      await queueOf(client).enqueue('x');
      await (await world.run(queueOf(client).receive())).fail(new Error('no'));
    },
    shows: { ready: 0, dead: 1, running: [] },
  },
};

it('a queue that does not move shows why, in each of the ways of docs/operations.md', async () => {
  const rows = documentedTable('it shows');
  expect(rows.map(([shown]) => shown)).toEqual(Object.keys(symptoms));
  for (const { cause, shows } of Object.values(symptoms)) {
    await using world = await World.open();
    const client = await world.client();
    await cause(world, client);
    await world.settle();
    expect(await queueOf(client).inspect()).toMatchObject(shows);
  }
});
