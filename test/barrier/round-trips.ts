import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import type { Method } from '../../src/store/transport.js';
import { patience } from '../rig/patience.js';
import { RecordingTransport } from '../rig/recording-transport.js';
import type { Backend } from '../store/contract.js';

interface Counted {
  readonly conclave: Conclave;
  readonly transport: RecordingTransport;
}

/** The budget of requests of barriers, gates and latches, counted where they leave the library. */
export function roundTrips(start: () => Promise<Backend>): void {
  let backend: Backend;
  let one: Counted;
  let other: Counted;

  const open = (): Counted => {
    const transport = new RecordingTransport(backend.transport());
    return {
      conclave: Conclave.over(transport, { runtime: systemRuntime, sessionTtlMs: 600_000 }),
      transport,
    };
  };
  const requests = async (client: Counted, work: () => Promise<unknown>): Promise<Method[]> => {
    const before = client.transport.calls.length;
    await work();
    return client.transport.calls.slice(before);
  };
  const created = ({ transport }: Counted): number =>
    transport.watchCommands.filter((kind) => kind === 'create').length;
  /** Starts what waits, and resolves once its watch is there: nothing more is asked until the end. */
  const waiting = async <T>(
    client: Counted,
    work: () => Promise<T>,
  ): Promise<{ promise: Promise<T>; asked: () => Method[] }> => {
    // What is cleaned up in the background makes revisions: one between the request and the watch has to be read.
    await vi.waitFor(() => expect(one.transport.unanswered + other.transport.unanswered).toBe(0), patience);
    const before = client.transport.calls.length;
    const watches = created(client);
    const promise = work();
    await vi.waitFor(() => {
      expect(created(client)).toBe(watches + 1);
      expect(client.transport.watchesCreated).toBe(watches + 1);
    }, patience);
    return { promise, asked: () => client.transport.calls.slice(before) };
  };

  beforeAll(async () => {
    backend = await start();
    one = open();
    other = open();
    for (const { conclave } of [one, other]) await conclave.mutex(randomUUID()).run(async () => {});
  });

  afterAll(async () => {
    await one.conclave.close();
    await other.conclave.close();
    await backend[Symbol.asyncDispose]();
  });

  it('a gate: close 1, open 2, by path 3; wait 1, and a watch if it is closed, and nothing after the event', async () => {
    for (const place of [randomUUID(), { path: `/${randomUUID()}` }]) {
      const gate = one.conclave.gate(place);
      expect(await requests(one, () => gate.wait())).toEqual(['get']);
      expect(await requests(one, () => gate.open())).toEqual(['get']);
      expect(await requests(one, () => gate.close())).toEqual(['txn']);
      const { promise, asked } = await waiting(other, () => other.conclave.gate(place).wait());
      const opening = typeof place === 'string' ? ['get', 'txn'] : ['get', 'txn', 'txn'];
      expect(await requests(one, () => gate.open())).toEqual(opening);
      await promise;
      expect(asked()).toEqual(['get']);
    }
  });

  it('a latch: arrive 1, and 1 more for the first of an object; wait as at a gate; remaining 1', async () => {
    const name = randomUUID();
    const latch = one.conclave.latch(name, { count: 3 });
    expect(await requests(one, () => latch.arrive())).toEqual(['txn', 'txn']);
    expect(await requests(one, () => latch.arrive())).toEqual(['txn']);
    expect(await requests(one, () => latch.remaining())).toEqual(['txn']);
    const { promise, asked } = await waiting(other, () => other.conclave.latch(name, { count: 3 }).wait());
    await latch.arrive();
    await promise;
    expect(asked()).toEqual(['get']);
    await latch.reset();
  });

  it('a cyclic barrier: 1 and a watch; 2 for the last one, and no watch; 1 to clean up', async () => {
    const name = randomUUID();
    const first = await waiting(one, () => one.conclave.cyclicBarrier(name, { parties: 2 }).wait());
    const watches = created(other);
    const before = other.transport.calls.length;
    await other.conclave.cyclicBarrier(name, { parties: 2 }).wait();
    await first.promise;
    await vi.waitFor(() => expect(first.asked()).toEqual(['txn', 'txn']), patience);
    await vi.waitFor(() => {
      expect(other.transport.calls.slice(before)).toEqual(['txn', 'txn', 'txn']);
    }, patience);
    expect(created(other)).toBe(watches);
  });

  it('a double barrier: to enter as above, and the same to leave', async () => {
    const name = randomUUID();
    const [mine, theirs] = [one, other].map(({ conclave }) => conclave.doubleBarrier(name, { parties: 2 }));
    const entering = await waiting(one, async () => mine?.enter());
    let pass: Awaited<ReturnType<NonNullable<typeof theirs>['enter']>> | undefined;
    expect(await requests(other, async () => (pass = await theirs?.enter()))).toEqual(['txn', 'txn']);
    const first = await entering.promise;
    expect(entering.asked()).toEqual(['txn']);

    const leaving = await waiting(one, async () => first?.leave());
    const watches = created(other);
    const asked = await requests(other, async () => pass?.leave());
    expect(asked.slice(0, 2)).toEqual(['txn', 'txn']);
    await leaving.promise;
    await vi.waitFor(() => expect(leaving.asked()).toEqual(['txn', 'txn']), patience);
    expect(created(other)).toBe(watches);
  });
}
