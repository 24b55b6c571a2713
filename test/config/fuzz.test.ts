import { expect, it } from 'vitest';
import { type Conclave, isConclaveError } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { Reader } from './reader.js';

const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

interface Run {
  /** What was stored, in its order. */
  readonly written: readonly number[];
  readonly told: readonly (readonly number[])[];
  readonly currents: readonly number[];
  /** What `update` has added, and what has come of it. */
  readonly added: number;
  readonly sum: number;
}

/** Writers and readers at odds with the network and each other. */
async function run(seed: number, skew: (value: number) => number = (value) => value): Promise<Run> {
  await using world = await World.open({ seed });
  let random = seed * 7_919;
  const draw = (below: number): number => {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((random / 2_147_483_648) * below);
  };
  const clients: Conclave[] = [];
  for (let i = 0; i < 4; i++) clients.push(await world.client({ sessionTtlMs: 5_000 }));
  const values = clients.map((client) => client.config<number>('c', { fallback: 0 }));
  const sums = clients.map((client) => client.config<number>('sum', { fallback: 0 }));
  const readers = values.map((value) => new Reader((options) => value.changes(options)));
  const written = new Map<bigint, number>();
  const note = async (): Promise<void> => {
    for await (const notice of world.store.watch('conclave/config/c', { startRevision: 1n }))
      if (notice.kind === 'events')
        for (const { kv } of notice.events)
          written.set(kv.modRevision, Number(Buffer.from(kv.value).toString()));
  };
  const noting = note().catch(() => {});
  let [next, added] = [0, 0];
  const working: Promise<unknown>[] = [];
  for (let step = 0; step < 60; step++) {
    const at = draw(4);
    const [client, value, sum] = [clients[at]!, values[at]!, sums[at]!];
    const what = draw(8);
    if (what === 0) world.dropReply(client, { method: 'txn' });
    else if (what === 1) world.repeatRequest(client, { method: 'txn', ms: draw(20_000) });
    else if (what === 2) world.breakStreams(client, 'watch');
    else if (what === 3) world.compactUnderWatches(client);
    else if (what === 4) {
      world.partition(client, { refuses: true });
      await world.advance(draw(4_000));
      world.heal(client);
    } else if (what === 5) {
      added++;
      working.push(sum.update((last) => last + 1, { timeoutMs: 600_000 }));
    } else working.push(value.set(++next, { force: draw(2) === 0 }).catch(expected));
    await world.advance(draw(1_500));
  }
  await world.advance(60_000);
  const results = await world.run(Promise.allSettled(working));
  added -= results.filter(({ status }) => status === 'rejected').length;
  for (const result of results) if (result.status === 'rejected') expected(result.reason);
  await sums[0]!.ready();
  const order = [...written].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, value]) => value);
  const outcome = {
    written: order,
    told: readers.map(({ seen }) => seen.map(skew)),
    currents: values.map(({ current }) => current),
    added,
    sum: sums[0]!.current,
  };
  await Promise.all(readers.map((reader) => reader.stop()));
  await world.store.close();
  await noting;
  return outcome;
}

/** Nothing was done. */
function expected(error: unknown): void {
  if (!isConclaveError(error, 'CONFLICT') && !isConclaveError(error, 'UNAVAILABLE')) throw error;
}

/** What is wrong with it. */
function complaints({ written, told, currents, added, sum }: Run): string[] {
  const found = told.flatMap((seen, i) => {
    let at = 0;
    for (const value of seen) at = [0, ...written].indexOf(value, at) + 1 || Infinity;
    if (at > written.length + 1)
      return [`reader ${i} was told what was not, or in another order: ${seen.join()}`];
    return seen.at(-1) === written.at(-1) ? [] : [`reader ${i} has missed the latest: ${seen.join()}`];
  });
  if (currents.some((current) => current !== written.at(-1)))
    found.push(`not the latest: ${currents.join()}`);
  if (new Set(written).size !== written.length) found.push(`written twice: ${written.join()}`);
  if (added !== sum) found.push(`${added} were added, and there are ${sum}`);
  return found;
}

it.each(seeds)(
  'every reader is told what was stored in its order, up to the latest, and nothing is written twice (seed %d)',
  async (seed) => {
    const result = await run(seed);
    expect(result.written.length).toBeGreaterThan(3);
    expect(complaints(result)).toEqual([]);
  },
);

it('the same checks find a reader that is told something else', async () => {
  const result = await run(1, (value) => (value === 0 ? value : value + 1));
  expect(complaints(result).length).toBeGreaterThan(0);
});
