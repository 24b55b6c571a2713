import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Queue } from '../../src/queue/queue.js';
import { Outage } from '../rig/outage.js';
import { guardMs } from '../rig/patience.js';

const wait = { timeout: guardMs, interval: 25 };
let outage: Outage;
let name: string;
let near: Queue;
let far: Queue;

beforeAll(async () => {
  outage = await Outage.start();
});

afterAll(() => outage[Symbol.asyncDispose]());

beforeEach(() => {
  name = randomUUID();
  near = outage.near.queue(name);
  far = outage.far.conclave.queue(name);
});

/** Resolves once the far one stands in line for a job. */
async function untilIdle(): Promise<void> {
  await vi.waitFor(async () => expect(await near.inspect()).toMatchObject({ workers: 1 }), wait);
}

/** Does it, and expects that the far one was told that what it watched is compacted. */
async function hide(work: () => Promise<unknown>): Promise<void> {
  const { transport } = outage.far;
  const before = transport.compactedWatches;
  await outage.hide(work);
  await vi.waitFor(() => expect(transport.compactedWatches).toBeGreaterThan(before), wait);
}

describe('a worker that waits', { timeout: 3 * guardMs }, () => {
  it('gets the job that was put while it was cut off, though that is compacted', async () => {
    const receiving = far.receive();
    await untilIdle();
    await hide(() => near.enqueue('x'));
    const delivery = await receiving;
    expect(delivery).toMatchObject({ value: 'x', attempt: 1 });
    await delivery.ack();
  });

  it('gets the first of those that were put, and only it, though others were taken meanwhile', async () => {
    const receiving = far.receive();
    await untilIdle();
    await hide(async () => {
      await near.enqueueAll(['a', 'b', 'c'].map((value) => ({ value })));
      await (await near.receive()).ack();
    });
    const delivery = await receiving;
    expect(delivery.value).toBe('b');
    await delivery.ack();
    expect(await near.inspect()).toMatchObject({ ready: 1, running: [] });
  });

  it('gets what is put after all that, and after every member has been restarted', async () => {
    const receiving = far.receive();
    await untilIdle();
    await hide(() => Promise.resolve());
    await outage.restartEach();
    await outage.cluster.restartAll();
    await near.enqueue('late');
    const delivery = await receiving;
    expect(delivery.value).toBe('late');
    await delivery.ack();
  });

  it('hears of a pause and its end, though both are compacted', async () => {
    await near.pause();
    const receiving = far.receive();
    await untilIdle();
    await near.enqueue('x');
    await hide(() => near.resume());
    await (await receiving).ack();
  });
});

describe('who waits for a job to end', { timeout: 3 * guardMs }, () => {
  it('is told the result, though it came while it was cut off and is compacted', async () => {
    const { id } = await near.enqueue('x');
    const ending = far.waitFor(id);
    await hide(async () => (await near.receive()).ack(42));
    expect(await ending).toMatchObject({ state: 'completed', result: 42 });
  });

  it('is told also after every member has been restarted', async () => {
    const { id } = await near.enqueue('x', { id: 'named' });
    const ending = far.waitFor(id);
    await outage.restartEach();
    await outage.cluster.restartAll();
    await (await near.receive()).fail('no');
    expect(await ending).toMatchObject({ state: 'dead' });
  });
});
