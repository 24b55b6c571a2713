import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import {
  compare,
  type Compare,
  type CompareResult,
  fromKey,
  get,
  type GetOptions,
  prefix,
  put,
  range,
  remove,
  type SortOrder,
  type SortTarget,
  txn,
} from '../../src/store/operations.js';
import { Cluster } from '../rig/cluster.js';
import { Client } from './fixture.js';

let cluster: Cluster;
let client: Client;

beforeAll(async () => {
  cluster = await Cluster.start();
  client = new Client(cluster.endpoints[0]!);
}, 30_000);

afterAll(async () => {
  await client.transport.close();
  await cluster.dispose();
});

beforeEach(async () => {
  await client.call('remove', remove(prefix('')));
});

const succeeds = async (...conditions: Compare[]): Promise<boolean> =>
  (await client.call('txn', txn({ if: conditions }))).succeeded;

const keysOf = async (options: GetOptions): Promise<string[]> =>
  (await client.call('get', get(prefix('k'), options))).kvs.map((kv) => toText(kv.key));

describe('a compare', () => {
  const holds = (result: CompareResult, sign: number): boolean =>
    ({ '=': sign === 0, '!=': sign !== 0, '<': sign < 0, '>': sign > 0 })[result];
  const results: CompareResult[] = ['=', '!=', '<', '>'];

  // All four numbers differ, so a target taken for another one gives a wrong answer.
  it.each(['version', 'createRevision', 'modRevision', 'lease'] as const)(
    'of %s means what it says, with each of the four results',
    async (target) => {
      const { id: lease } = await client.call('leaseGrant', { id: 0n, ttlSeconds: 60 });
      await client.call('put', put('k', 'a'));
      await client.call('put', put('k', 'b'));
      await client.call('put', put('k', 'c', { lease }));
      const { kvs } = await client.call('get', get('k'));
      const actual = kvs[0]![target];
      for (const result of results)
        for (const sign of [-1, 0, 1])
          expect([result, sign, await succeeds(compare[target]('k', result, actual - BigInt(sign)))]).toEqual(
            [result, sign, holds(result, sign)],
          );
    },
  );

  it('of value means what it says, with each of the four results', async () => {
    await client.call('put', put('k', 'm'));
    for (const result of results)
      for (const [operand, sign] of [
        ['a', 1],
        ['m', 0],
        ['z', -1],
      ] as const)
        expect([result, operand, await succeeds(compare.value('k', result, operand))]).toEqual([
          result,
          operand,
          holds(result, sign),
        ]);
  });

  it('over a range holds if it holds for every key of the range, and no other', async () => {
    await client.call('put', put('r1', 'x'));
    await client.call('put', put('r2', 'x'));
    await client.call('put', put('s', 'y'));
    expect(await succeeds(compare.value(prefix('r'), '=', 'x'))).toBe(true);
    expect(await succeeds(compare.value(range('r1', 'r2'), '=', 'x'))).toBe(true);
    expect(await succeeds(compare.value(range('r1', 't'), '=', 'x'))).toBe(false);
    expect(await succeeds(compare.value(fromKey('r2'), '=', 'x'))).toBe(false);
  });

  it('of a single key does not look at the keys after it', async () => {
    await client.call('put', put('a', 'x'));
    await client.call('put', put('b', 'y'));
    expect(await succeeds(compare.value('a', '=', 'x'))).toBe(true);
    expect(await succeeds(compare.createRevision('0', '=', 0n))).toBe(true);
  });

  it('is joined with the others by and', async () => {
    const yes = compare.version('absent', '=', 0n);
    const no = compare.version('absent', '>', 0n);
    expect(await succeeds(yes, yes)).toBe(true);
    expect(await succeeds(yes, no)).toBe(false);
  });
});

describe('a get', () => {
  // Every target orders these three keys in its own way.
  const orders: Record<SortTarget, string[]> = {
    key: ['k1', 'k2', 'k3'],
    version: ['k2', 'k3', 'k1'],
    create: ['k3', 'k1', 'k2'],
    mod: ['k3', 'k2', 'k1'],
    value: ['k2', 'k1', 'k3'],
  };

  async function writeKeys(): Promise<void> {
    for (const key of ['k3', 'k1', 'k1', 'k2']) await client.call('put', put(key, ''));
    await client.call('put', put('k3', 'c'));
    await client.call('put', put('k1', 'b'));
    await client.call('remove', remove('k2'));
    await client.call('put', put('k2', 'a')); // a new life: the youngest creation, and version 1
    await client.call('put', put('k1', 'b'));
  }

  it.each(Object.keys(orders) as SortTarget[])('sorts by %s in both orders', async (target) => {
    await writeKeys();
    for (const order of ['ascend', 'descend'] satisfies SortOrder[]) {
      const expected = order === 'ascend' ? orders[target] : orders[target].toReversed();
      expect(await keysOf({ sort: [target, order] })).toEqual(expected);
    }
  });

  it('has a limit, and says that there is more', async () => {
    await writeKeys();
    const limited = await client.call('get', get(prefix('k'), { limit: 2 }));
    expect([limited.kvs.length, limited.more, limited.count]).toEqual([2, true, 3]);
    const whole = await client.call('get', get(prefix('k')));
    expect([whole.kvs.length, whole.more, whole.count]).toEqual([3, false, 3]);
  });

  it('reads one key without those after it, also inside a transaction', async () => {
    await writeKeys();
    expect((await client.call('get', get('k1'))).kvs).toHaveLength(1);
    const answer = await client.call('txn', txn({ then: [get('k1')] }));
    expect(answer.responses[0]).toMatchObject({ kind: 'get', count: 1 });
  });

  it('reads the past', async () => {
    const { header } = await client.call('put', put('k', 'old'));
    await client.call('put', put('k', 'new'));
    const { kvs } = await client.call('get', get('k', { revision: header.revision }));
    expect(toText(kvs[0]!.value)).toBe('old');
  });

  it('leaves out values, or everything but the count', async () => {
    await client.call('put', put('k', 'value'));
    const keys = await client.call('get', get('k', { keysOnly: true, serializable: true }));
    expect(keys.kvs.map((kv) => [toText(kv.key), kv.value.length])).toEqual([['k', 0]]);
    const count = await client.call('get', get(prefix('k'), { countOnly: true }));
    expect([count.kvs, count.count]).toEqual([[], 1]);
  });

  it('filters by creation and modification revision', async () => {
    const first = (await client.call('put', put('k1', ''))).header.revision;
    const second = (await client.call('put', put('k2', ''))).header.revision;
    const third = (await client.call('put', put('k1', ''))).header.revision;
    expect(await keysOf({ minModRevision: third })).toEqual(['k1']);
    expect(await keysOf({ maxModRevision: second })).toEqual(['k2']);
    expect(await keysOf({ minCreateRevision: second })).toEqual(['k2']);
    expect(await keysOf({ maxCreateRevision: first })).toEqual(['k1']);
  });

  it('carries any bytes, and returns plain ones', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await client.call('put', put(bytes, bytes));
    const { kvs } = await client.call('get', get(bytes));
    expect(kvs[0]!.key).toEqual(bytes);
    expect(kvs[0]!.value).toEqual(bytes);
    expect(kvs[0]!.value.constructor).toBe(Uint8Array);
  });
});

describe('a put', () => {
  it('returns the pair before it if asked', async () => {
    expect((await client.call('put', put('k', 'a', { prevKv: true }))).prevKv).toBeUndefined();
    expect((await client.call('put', put('k', 'b'))).prevKv).toBeUndefined();
    const { prevKv } = await client.call('put', put('k', 'c', { prevKv: true }));
    expect([toText(prevKv!.value), prevKv!.version]).toEqual(['b', 2n]);
  });

  it('keeps value or lease if asked', async () => {
    const { id: lease } = await client.call('leaseGrant', { id: 0n, ttlSeconds: 60 });
    await client.call('put', put('k', 'a'));
    await client.call('put', put('k', '', { lease, ignoreValue: true }));
    await client.call('put', put('k', 'b', { ignoreLease: true }));
    const { kvs } = await client.call('get', get('k'));
    expect([toText(kvs[0]!.value), kvs[0]!.lease, kvs[0]!.version]).toEqual(['b', lease, 3n]);
  });
});

describe('a remove', () => {
  it('removes one key, or a range, and returns the pairs if asked', async () => {
    for (const key of ['a', 'b', 'c']) await client.call('put', put(key, key));
    const one = await client.call('remove', remove('a', { prevKv: true }));
    expect([one.deleted, one.prevKvs.map((kv) => toText(kv.value))]).toEqual([1, ['a']]);
    const rest = await client.call('remove', remove(fromKey('a')));
    expect([rest.deleted, rest.prevKvs]).toEqual([2, []]);
  });
});

describe('a transaction', () => {
  it('runs one branch and returns each result in order, also of nested transactions', async () => {
    const nested = txn({
      if: [compare.version('k', '=', 0n)], // sees the state before the outer transaction
      then: [put('n', '1'), txn({ else: [get('never')] })],
      else: [get('wrong')],
    });
    const answer = await client.call(
      'txn',
      txn({ then: [put('k', 'a'), get('k'), nested, remove('k2', { prevKv: true })] }),
    );
    expect(answer).toMatchObject({
      succeeded: true,
      responses: [
        { kind: 'put' },
        { kind: 'get', count: 1 },
        { kind: 'txn', succeeded: true, responses: [{ kind: 'put' }, { kind: 'txn', responses: [] }] },
        { kind: 'remove', deleted: 0 },
      ],
    });
    const { kvs } = await client.call('get', get(prefix('')));
    expect(new Set(kvs.map((kv) => kv.modRevision))).toEqual(new Set([answer.header.revision]));
  });

  it('runs the other branch if a condition fails', async () => {
    const operation = txn({ if: [compare.version('k', '>', 0n)], then: [put('k', '')], else: [get('k')] });
    const answer = await client.call('txn', operation);
    expect(answer).toMatchObject({ succeeded: false, responses: [{ kind: 'get', count: 0 }] });
  });
});
