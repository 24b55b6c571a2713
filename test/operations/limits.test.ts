import { expect, it } from 'vitest';
import type { Conclave } from '../../src/index.js';
import { put } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { documentedTable } from './document.js';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}`);
/** A text of so many bytes, as JSON: two of them are its quotes. */
const json = (bytes: number): string => 'x'.repeat(bytes - 2);
const hourly = { everyMs: 3_600_000 };

/** Each limit, by what it limits: takes or makes `count`, or rejects. */
const uses: Readonly<Record<string, (client: Conclave, count: number) => unknown>> = {
  'bytes of a name, escaped (an umlaut is 6)': (client, count) =>
    client.mutex(`${'ü'.repeat(80)}${'x'.repeat(count - 480)}`).tryAcquire(),
  'names of a multi-lock': (client, count) => client.multiLock(names(count)).tryAcquire(),
  'names of a multi-lock with `lockDelayMs`': (client, count) =>
    client.multiLock(names(count), { lockDelayMs: 1_000 }).tryAcquire(),
  'parties of a barrier': (client, count) => client.cyclicBarrier('b', { parties: count }),
  'shards of a group': (client, count) => client.group('g').shards(count).inspect(),
  "bytes of a job's value, as JSON": (client, count) => client.queue('q').enqueue(json(count)),
  "bytes of a schedule's value": (client, count) => client.queue('s').schedule('n', hourly, json(count)),
  'operations in one transaction (`--max-txn-ops` of etcd)': (client, count) =>
    client.store.txn({ then: names(count).map((name) => put(`k/${name}`, '')) }),
};

it('each limit of docs/operations.md is one: that much is taken, and one more is refused', async () => {
  await using world = await World.open();
  world.allowKeys('k/');
  const client = await world.client();
  const rows = documentedTable('what');
  expect(rows.map(([what]) => what)).toEqual(Object.keys(uses));
  for (const [what = '', limit = '', refusal = ''] of rows) {
    const use = async (count: number): Promise<unknown> => uses[what]?.(client, count);
    const most = Number(limit.replaceAll(',', ''));

    const taken = await world.run(outcome(use(most)));
    const refused = await world.run(outcome(use(most + 1)));

    expect({ what, taken: taken instanceof Error && taken.message }).toEqual({ what, taken: false });
    expect({ what, refused: (refused as Error).constructor.name }).toEqual({
      what,
      refused: refusal.replaceAll('`', ''),
    });
  }
});

it('a TTL below two seconds, or of half seconds, is refused', async () => {
  await using world = await World.open();
  for (const sessionTtlMs of [1_000, 1_999, 2_500])
    expect(await outcome((async () => world.client({ sessionTtlMs }))())).toBeInstanceOf(RangeError);
  const client = await world.client({ sessionTtlMs: 2_000 });
  await client.mutex('m').run(() => {});
});
