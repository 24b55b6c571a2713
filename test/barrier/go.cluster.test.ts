import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import type { Gate } from '../../src/barrier/gate.js';
import { Cluster } from '../rig/cluster.js';
import { GoBuild, type GoProgram } from '../rig/go-program.js';
import { guardMs } from '../rig/patience.js';

const wait = { timeout: guardMs, interval: 25 };
let go: GoBuild;
let cluster: Cluster;
let conclave: Conclave;
let path: string;
let gate: Gate;

beforeAll(async () => {
  go = await GoBuild.make();
  cluster = await Cluster.start();
  conclave = await connect({ endpoints: cluster.endpoints });
}, 5 * guardMs);

afterAll(async () => {
  await conclave.close();
  await cluster.dispose();
  await go[Symbol.asyncDispose]();
});

beforeEach((context) => {
  if (go.lacks !== undefined) context.skip(go.lacks);
  path = `barrier/${randomUUID()}`;
  gate = conclave.gate({ path });
});

/** A Go program that listens. */
async function program(): Promise<GoProgram> {
  const theirs = go.start(cluster.endpoints, 20, 'recipes', path);
  await theirs.lines(1);
  return theirs;
}

/** How many watches the server serves. */
async function watchers(): Promise<number> {
  const metrics = await (await fetch(`${cluster.endpoints[0]!}/metrics`)).text();
  return Number(/^etcd_debugging_mvcc_watcher_total (\d+)/m.exec(metrics)?.[1]);
}

/** Waits there; resolves when its watch stands. What it says in the end is in the array. */
async function waiting(theirs: GoProgram): Promise<{ passed: Promise<string> }> {
  const before = await watchers();
  const passed = theirs.ask('wait');
  passed.catch(() => {}); // killed before, should the test fail
  await vi.waitFor(async () => expect(await watchers()).toBe(before + 1), wait);
  return { passed };
}

/** So that what closed the gate is not the last thing that has happened in the store. */
async function happenSomethingElse(): Promise<void> {
  for (let i = 0; i < 3; i++) await conclave.store.put('something/else', String(i));
}

describe("a gate that is a barrier of Go's", { timeout: 3 * guardMs }, () => {
  it('is closed by one of us, whoever came first', async () => {
    await using theirs = await program();
    await gate.close();
    expect(await theirs.ask('hold')).toBe('held already');
    await gate.open();
    expect(await theirs.ask('hold')).toBe('held');
    await expect(gate.close()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await theirs.ask('release');
    await gate.close();
    await gate.open();
  });

  it('lets ours pass when they open it, whoever has closed it', async () => {
    await using theirs = await program();
    for (const close of [() => theirs.ask('hold'), () => gate.close()]) {
      await close();
      await expect(gate.wait({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
      const before = await watchers();
      const ours = gate.wait();
      await vi.waitFor(async () => expect(await watchers()).toBe(before + 1), wait);
      expect(await theirs.ask('release')).toBe('released');
      await ours;
    }
  });

  it('lets theirs pass when we open it, also those that came long after it was closed, whoever has closed it', async () => {
    await using theirs = await program();
    await using others = await program();
    for (const close of [() => gate.close(), () => theirs.ask('hold')]) {
      await close();
      await happenSomethingElse();
      const all = [await waiting(theirs), await waiting(others)];
      await happenSomethingElse();
      await gate.open();
      expect(await Promise.all(all.map(({ passed }) => passed))).toEqual(['passed', 'passed']);
    }
    expect(await theirs.ask('wait')).toBe('passed');
  });

  it('is opened by us also for one of theirs that slept through their own opening', async () => {
    await using theirs = await program();
    await using sleeper = await program();
    await theirs.ask('hold');
    await happenSomethingElse();
    const { passed } = await waiting(sleeper);
    // A weakness of Go before 3.6: it waits for a put, too.
    await theirs.ask('release');
    expect(await theirs.ask('wait')).toBe('passed');
    expect(sleeper.said).toEqual(['ready']);
    await gate.close();
    await gate.open();
    expect(await passed).toBe('passed');
  });
});
