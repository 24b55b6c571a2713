import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Conclave } from '../../src/conclave.js';
import { systemRuntime } from '../../src/base/runtime.js';
import type { Backend } from '../store/contract.js';

/** What counters and ids promise, whatever they run on: four processes, one name. */
export function counterContract(start: () => Promise<Backend>): void {
  let backend: Backend;
  let clients: readonly Conclave[];
  let tests = 0;
  let name = '';

  beforeAll(async () => {
    backend = await start();
    clients = Array.from({ length: 4 }, () => Conclave.over(backend.transport(), { runtime: systemRuntime }));
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await backend[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    name = `name/${++tests}`;
  });

  const each = <T>(work: (client: Conclave) => Promise<T>): Promise<T[]> => Promise.all(clients.map(work));

  describe('a counter', () => {
    it('counts what four processes add at the same time, and gives no value twice', async () => {
      const values = await each(async (client) => {
        const counter = client.counter(name);
        const seen: bigint[] = [];
        for (let i = 0; i < 5; i++)
          seen.push(...(await Promise.all(Array.from({ length: 10 }, () => counter.add()))));
        return seen;
      });
      const sorted = values.flat().sort((a, b) => Number(a - b));
      expect(sorted).toEqual(Array.from({ length: 200 }, (_, i) => BigInt(i + 1)));
      expect(await clients[0]?.counter(name).get()).toMatchObject({ value: 200n });
    });

    it('is set by one of those who expect the same value', async () => {
      const won = await each((client) => client.counter(name).compareAndSet(0, 7));
      expect(won.sort()).toEqual([false, false, false, true]);
      expect(await clients[0]?.counter(name).get()).toMatchObject({ value: 7n });
    });
  });

  it('ids of four processes are all different', async () => {
    const taken = await each(async (client) => {
      const ids = client.ids(name, { block: 9 });
      const seen: bigint[] = [];
      for (let i = 0; i < 50; i++) seen.push(await ids.next());
      return seen;
    });
    expect(new Set(taken.flat()).size).toBe(200);
  });
}
