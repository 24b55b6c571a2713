import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Conclave } from '../../src/conclave.js';
import { prefix } from '../../src/store/operations.js';
import { Outage } from '../rig/outage.js';
import { guardMs } from '../rig/patience.js';

const wait = { timeout: guardMs, interval: 25 };
let outage: Outage;
let name: string;

beforeAll(async () => {
  outage = await Outage.start();
});

afterAll(() => outage[Symbol.asyncDispose]());

beforeEach(() => {
  name = randomUUID();
});

/** The same thing in both clients: the one that is never cut off comes first. */
function both<T>(get: (client: Conclave) => T): [near: T, far: T] {
  return [get(outage.near), get(outage.far.conclave)];
}

/** Starts to wait there; resolves once that is watched. */
async function waiting<T>(start: () => Promise<T>): Promise<{ passed: Promise<T> }> {
  const { transport } = outage.far;
  const before = transport.watchesCreated;
  const passed = start();
  passed.catch(() => {}); // heard by the test
  await vi.waitFor(() => expect(transport.watchesCreated).toBeGreaterThan(before), wait);
  return { passed };
}

/** Does it, and expects that the far one was told that what it watched is compacted. */
async function hide<T>(work: () => Promise<T>): Promise<T> {
  const { transport } = outage.far;
  const before = transport.compactedWatches;
  const result = await outage.hide(work);
  await vi.waitFor(() => expect(transport.compactedWatches).toBeGreaterThan(before), wait);
  return result;
}

/** Every member, one after the other and all at once. */
async function restart(): Promise<void> {
  await outage.restartEach();
  await outage.cluster.restartAll();
}

async function left(): Promise<number> {
  const all = ['double-barrier', 'cyclic-barrier'].map((kind) =>
    outage.near.store.get(prefix(`conclave/${kind}/${name}/`), { countOnly: true }),
  );
  return (await Promise.all(all)).reduce((sum, { count }) => sum + count, 0);
}

describe('who waits', { timeout: 3 * guardMs }, () => {
  it('at a gate passes when it is opened, though that is compacted', async () => {
    const [near, far] = both((each) => each.gate(name));
    await near.close();
    const { passed } = await waiting(() => far.wait());
    await hide(() => near.open());
    await passed;
  });

  it('at a gate passes when it was open in between, though that is compacted', async () => {
    const [near, far] = both((each) => each.gate(name));
    await near.close();
    const { passed } = await waiting(() => far.wait());
    await hide(async () => {
      await near.open();
      await near.close();
    });
    await passed;
    await near.open();
  });

  it('at a gate passes after every member has been restarted', async () => {
    const [near, far] = both((each) => each.gate(name));
    await near.close();
    const { passed } = await waiting(() => far.wait());
    await restart();
    await near.open();
    await passed;
  });

  it('at a latch passes with the last arrival, though that is compacted', async () => {
    const [near, far] = both((each) => each.latch(name, { count: 2 }));
    await near.arrive('a');
    const { passed } = await waiting(() => far.wait());
    await hide(() => near.arrive('b'));
    await passed;
    await near.reset();
  });

  it('at a latch passes after every member has been restarted', async () => {
    const [near, far] = both((each) => each.latch(name, { count: 2 }));
    await near.arrive('a');
    const { passed } = await waiting(() => far.wait());
    await restart();
    await near.arrive('b');
    await passed;
    await near.reset();
  });

  it('at a cyclic barrier passes with its round, though what became of that is compacted', async () => {
    const [near, far] = both((each) => each.cyclicBarrier(name, { parties: 2 }));
    const { passed } = await waiting(() => far.wait());
    const { round } = await hide(() => near.wait());
    expect(await passed).toEqual({ round, index: 0 });
    await vi.waitFor(async () => expect(await left()).toBe(0), wait);
  });

  it('at a double barrier enters and leaves with its round, though what became of that is compacted', async () => {
    const [near, far] = both((each) => each.doubleBarrier(name, { parties: 2 }));
    const { passed } = await waiting(() => far.enter());
    const theirs = await hide(() => near.enter());
    const mine = await passed;
    expect(mine.round).toBe(theirs.round);
    const leaving = await waiting(() => mine.leave());
    await hide(() => theirs.leave());
    await leaving.passed;
    await vi.waitFor(async () => expect(await left()).toBe(0), wait);
  });

  it('at a double barrier enters and leaves after every member has been restarted', async () => {
    const [near, far] = both((each) => each.doubleBarrier(name, { parties: 2 }));
    const { passed } = await waiting(() => far.enter());
    await restart();
    const [mine, theirs] = await Promise.all([passed, near.enter()]);
    expect(mine.round).toBe(theirs.round);
    const leaving = mine.leave();
    await restart();
    await Promise.all([leaving, theirs.leave()]);
    await vi.waitFor(async () => expect(await left()).toBe(0), wait);
  });
});
