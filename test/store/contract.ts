import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import { systemRuntime } from '../../src/base/runtime.js';
import {
  type Compare,
  compare,
  type CompareResult,
  fromKey,
  get,
  prefix,
  put,
  range,
  remove,
  txn,
} from '../../src/store/operations.js';
import type { GetResult, StoreEvent } from '../../src/store/results.js';
import { Store } from '../../src/store/store.js';
import type { Transport } from '../../src/store/transport.js';
import type { WatchNotice, WatchOptions } from '../../src/store/watching.js';

/** A store that runs, and ways to it. */
export interface Backend extends AsyncDisposable {
  transport(): Transport;
}

const results = ['=', '!=', '<', '>'] as const satisfies readonly CompareResult[];

/** What the store promises, whatever it runs on. Each test has keys of its own, below `at('')`. */
export function storeContract(start: () => Promise<Backend>): void {
  let backend: Backend;
  let store: Store;
  let tests = 0;
  let root = '';

  const at = (key: string): string => root + key;
  /** Without the part that only tells the tests apart. */
  const bare = (key: Uint8Array): string => toText(key).slice(root.length);
  const keys = ({ kvs }: GetResult): string[] => kvs.map(({ key }) => bare(key));
  const pairs = ({ kvs }: GetResult): string[] =>
    kvs.map(({ key, value }) => `${bare(key)}=${toText(value)}`);
  const all = (): ReturnType<typeof prefix> => prefix(root);
  const putAll = async (entries: Record<string, string>): Promise<bigint> => {
    let revision = 0n;
    for (const [key, value] of Object.entries(entries))
      ({ revision } = (await store.put(at(key), value)).header);
    return revision;
  };
  const story = (events: readonly StoreEvent[]): string[] =>
    events.map(({ type, kv }) =>
      type === 'put' ? `${bare(kv.key)}=${toText(kv.value)}` : `-${bare(kv.key)}`,
    );

  beforeAll(async () => {
    backend = await start();
    store = new Store(backend.transport(), { runtime: systemRuntime });
  });

  afterAll(async () => {
    await store.close();
    await backend[Symbol.asyncDispose]();
  });

  beforeEach(() => {
    tests += 1;
    root = `contract/${tests}/`;
  });

  describe('put, get and remove', () => {
    it('a put pair is read back with its revisions, version and lease', async () => {
      const first = await store.put(at('k'), 'one');
      const second = await store.put(at('k'), 'two');
      expect(second.header.revision).toBe(first.header.revision + 1n);
      const { kvs, count, more } = await store.get(at('k'));
      expect({ count, more }).toEqual({ count: 1, more: false });
      expect(kvs).toMatchObject([
        {
          createRevision: first.header.revision,
          modRevision: second.header.revision,
          version: 2n,
          lease: 0n,
        },
      ]);
      expect(toText(kvs[0]!.value)).toBe('two');
    });

    it('an absent key is an empty list', async () => {
      expect(await store.get(at('absent'))).toMatchObject({ kvs: [], count: 0, more: false });
    });

    it('a key that is put again after its removal starts a new life', async () => {
      await store.put(at('k'), '1');
      await store.remove(at('k'));
      const { header } = await store.put(at('k'), '2');
      expect((await store.get(at('k'))).kvs).toMatchObject([
        { createRevision: header.revision, version: 1n },
      ]);
    });

    it('returns the pair before on request', async () => {
      expect((await store.put(at('k'), 'old', { prevKv: true })).prevKv).toBeUndefined();
      expect(toText((await store.put(at('k'), 'new', { prevKv: true })).prevKv!.value)).toBe('old');
      const { prevKvs } = await store.remove(all(), { prevKv: true });
      expect(prevKvs.map(({ value }) => toText(value))).toEqual(['new']);
    });

    it('keeps the value or the lease on request, and only of a key that is there', async () => {
      const { id } = await store.lease.grant({ ttlSeconds: 60 });
      await store.put(at('k'), 'value', { lease: id });
      await store.put(at('k'), 'other', { ignoreLease: true });
      await store.put(at('k'), '', { ignoreValue: true, lease: id });
      expect((await store.get(at('k'))).kvs).toMatchObject([{ lease: id, version: 3n }]);
      expect(pairs(await store.get(at('k')))).toEqual(['k=other']);
      await expect(store.put(at('absent'), '', { ignoreValue: true })).rejects.toMatchObject({
        message: expect.stringContaining('key not found') as string,
      });
      await expect(store.put(at('absent'), 'x', { ignoreLease: true })).rejects.toThrow(/key not found/);
      await store.lease.revoke(id);
    });

    it('a put without a lease detaches the key from the one it had', async () => {
      const { id } = await store.lease.grant({ ttlSeconds: 60 });
      await store.put(at('k'), '1', { lease: id });
      await store.put(at('k'), '2');
      await store.lease.revoke(id);
      expect(pairs(await store.get(at('k')))).toEqual(['k=2']);
    });

    it('removes one key, or a range, and says how many', async () => {
      await putAll({ a: '1', b: '2', c: '3', d: '4' });
      expect((await store.remove(at('a'))).deleted).toBe(1);
      expect((await store.remove(range(at('b'), at('d')))).deleted).toBe(2);
      expect((await store.remove(at('absent'))).deleted).toBe(0);
      expect(keys(await store.get(all()))).toEqual(['d']);
    });

    it('removing nothing makes no revision', async () => {
      const before = await store.put(at('k'), '1');
      expect((await store.remove(at('absent'))).header.revision).toBe(before.header.revision);
    });

    it('keys and values may be any bytes, empty values too', async () => {
      const key = new Uint8Array([...Buffer.from(root), 0, 255, 254]);
      const value = new Uint8Array([0, 1, 255, 128]);
      await store.put(key, value);
      await store.put(at('empty'), '');
      const { kvs } = await store.get(key);
      expect(kvs.map((kv) => [[...kv.key], [...kv.value]])).toEqual([[[...key], [...value]]]);
      expect(pairs(await store.get(at('empty')))).toEqual(['empty=']);
    });
  });

  describe('ranges', () => {
    beforeEach(() => putAll({ a: '3', aa: '2', b: '1', c: '0' }));

    it('a prefix, a half-open range, and everything from a key on', async () => {
      expect(keys(await store.get(prefix(at('a'))))).toEqual(['a', 'aa']);
      expect(keys(await store.get(range(at('a'), at('b'))))).toEqual(['a', 'aa']);
      const { kvs } = await store.get(fromKey(at('b')));
      expect(kvs.slice(0, 2).map(({ key }) => bare(key))).toEqual(['b', 'c']);
    });

    it('a prefix ends where its last byte is not 0xff, and the empty prefix is everything', async () => {
      const ff = new Uint8Array([...Buffer.from(root), 255]);
      await store.put(new Uint8Array([...ff, 1]), 'x');
      expect((await store.get(prefix(ff))).count).toBe(1);
      expect((await store.get(prefix(''))).count).toBeGreaterThanOrEqual(5);
    });

    it('a range whose end is not after its start is empty', async () => {
      expect(await store.get(range(at('b'), at('a')))).toMatchObject({ kvs: [], count: 0 });
    });

    it('a limit cuts the answer, says so, and still counts everything', async () => {
      expect(await store.get(all(), { limit: 2 })).toMatchObject({ count: 4, more: true });
      expect(keys(await store.get(all(), { limit: 2 }))).toEqual(['a', 'aa']);
      expect(await store.get(all(), { limit: 4 })).toMatchObject({ count: 4, more: false });
    });

    it('sorts by each target in both orders, before the limit', async () => {
      await store.put(at('aa'), '2'); // version 2, newest modification
      const sorted = async (target: 'key' | 'version' | 'create' | 'mod' | 'value'): Promise<string[][]> => [
        keys(await store.get(all(), { sort: [target, 'ascend'] })),
        keys(await store.get(all(), { sort: [target, 'descend'] })),
      ];
      expect(await sorted('key')).toEqual([
        ['a', 'aa', 'b', 'c'],
        ['c', 'b', 'aa', 'a'],
      ]);
      expect(await sorted('create')).toEqual([
        ['a', 'aa', 'b', 'c'],
        ['c', 'b', 'aa', 'a'],
      ]);
      expect(await sorted('mod')).toEqual([
        ['a', 'b', 'c', 'aa'],
        ['aa', 'c', 'b', 'a'],
      ]);
      expect(await sorted('value')).toEqual([
        ['c', 'b', 'aa', 'a'],
        ['a', 'aa', 'b', 'c'],
      ]);
      const [up, down] = await sorted('version');
      expect([up?.at(-1), down?.[0]]).toEqual(['aa', 'aa']);
      expect(keys(await store.get(all(), { sort: ['value', 'ascend'], limit: 1 }))).toEqual(['c']);
    });

    it('leaves out the values, or everything but the count', async () => {
      const { kvs } = await store.get(all(), { keysOnly: true });
      expect(kvs.map(({ value }) => value.length)).toEqual([0, 0, 0, 0]);
      expect(await store.get(all(), { countOnly: true })).toMatchObject({ kvs: [], count: 4 });
    });

    it('filters by the bounds of creation and modification, inclusively', async () => {
      const [a, aa, b, c] = (await store.get(all())).kvs;
      await store.put(at('a'), 'new');
      const found = async (options: Parameters<Store['get']>[1]): Promise<string[]> =>
        keys(await store.get(all(), options));
      expect(await found({ minCreateRevision: b!.createRevision })).toEqual(['b', 'c']);
      expect(await found({ maxCreateRevision: aa!.createRevision })).toEqual(['a', 'aa']);
      expect(await found({ minModRevision: c!.modRevision })).toEqual(['a', 'c']);
      expect(await found({ maxModRevision: aa!.modRevision })).toEqual(['aa']);
      expect(await found({ minCreateRevision: a!.createRevision, maxModRevision: b!.modRevision })).toEqual([
        'aa',
        'b',
      ]);
    });

    it('the newest ticket but mine: sort, limit and bound together', async () => {
      const { kvs } = await store.get(all());
      const mine = kvs.at(-1)!.createRevision;
      const options = { maxCreateRevision: mine, sort: ['create', 'descend'], limit: 2 } as const;
      expect(keys(await store.get(all(), options))).toEqual(['c', 'b']);
    });

    it('is read as it was at a revision, by one member or by all', async () => {
      const { header } = await store.get(all());
      await store.remove(at('a'));
      await store.put(at('b'), 'changed');
      for (const serializable of [false, true]) {
        const past = await store.get(all(), { revision: header.revision, serializable });
        expect(pairs(past)).toEqual(['a=3', 'aa=2', 'b=1', 'c=0']);
      }
      expect(pairs(await store.get(all()))).toEqual(['aa=2', 'b=changed', 'c=0']);
    });

    it('a revision that is not there yet is refused by name', async () => {
      const { header } = await store.get(all());
      await expect(store.get(all(), { revision: header.revision + 1_000n })).rejects.toMatchObject({
        code: 'FUTURE_REVISION',
      });
    });
  });

  describe('transactions', () => {
    it('run one branch, all at one revision, and return each result in order', async () => {
      const before = await putAll({ a: '1' });
      const answer = await store.txn({
        if: [compare.value(at('a'), '=', '1')],
        then: [put(at('a'), '2', { prevKv: true }), get(at('a')), remove(at('absent')), put(at('b'), 'x')],
        else: [get(at('a'))],
      });
      if (!answer.succeeded) throw new Error('the other branch ran');
      const [puts, gets, removes] = answer.responses;
      expect(answer.header.revision).toBe(before + 1n);
      expect(toText(puts.prevKv!.value)).toBe('1');
      expect(pairs(gets)).toEqual(['a=2']); // an operation sees those before it
      expect(removes.deleted).toBe(0);
      const { kvs } = await store.get(all());
      expect(kvs.map(({ modRevision }) => modRevision)).toEqual([before + 1n, before + 1n]);
    });

    it('run the other branch if one comparison does not hold', async () => {
      await putAll({ a: '1' });
      const answer = await store.txn({
        if: [compare.value(at('a'), '=', '1'), compare.createRevision(at('b'), '!=', 0n)],
        then: [remove(at('a'))],
        else: [get(at('a'))],
      });
      expect(answer.succeeded).toBe(false);
      expect(answer.responses.map(({ kind }) => kind)).toEqual(['get']);
      expect(keys(await store.get(all()))).toEqual(['a']);
    });

    it('without comparisons always run the first branch, and may be empty', async () => {
      expect(await store.txn({})).toMatchObject({ succeeded: true, responses: [] });
      expect(await store.txn({ then: [get(at('a'))] })).toMatchObject({ succeeded: true });
    });

    it('that only read make no revision', async () => {
      const before = await putAll({ a: '1' });
      expect((await store.txn({ then: [get(at('a'))] })).header.revision).toBe(before);
    });

    it('nest, and every comparison sees the state before the whole', async () => {
      await putAll({ a: '1' });
      const answer = await store.txn({
        then: [
          put(at('new'), 'x'),
          txn({
            if: [compare.createRevision(at('new'), '=', 0n)],
            then: [
              put(at('inner'), 'y'),
              txn({ if: [compare.value(at('a'), '=', '2')], then: [], else: [get(at('a'))] }),
            ],
            else: [get(at('new'))],
          }),
        ],
      });
      expect(answer).toMatchObject({
        succeeded: true,
        responses: [
          { kind: 'put' },
          {
            kind: 'txn',
            succeeded: true,
            responses: [{ kind: 'put' }, { kind: 'txn', succeeded: false, responses: [{ count: 1 }] }],
          },
        ],
      });
      expect(keys(await store.get(all()))).toEqual(['a', 'inner', 'new']);
    });

    it('that are refused leave nothing behind: a key written twice', async () => {
      const twice = store.txn({ then: [put(at('a'), '1'), put(at('a'), '2')] });
      await expect(twice).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      const overlap = store.txn({ then: [put(at('a'), '1'), remove(all())] });
      await expect(overlap).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      const nested = store.txn({ then: [put(at('a'), '1'), txn({ then: [put(at('a'), '2')] })] });
      await expect(nested).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      expect((await store.get(all())).count).toBe(0);
    });

    it('may remove a key twice, and write one in both branches', async () => {
      await putAll({ a: '1' });
      await store.txn({ then: [remove(at('a')), remove(all())] });
      await store.txn({
        if: [compare.version(at('a'), '=', 0n)],
        then: [put(at('a'), '1')],
        else: [put(at('a'), '2')],
      });
      expect(pairs(await store.get(all()))).toEqual(['a=1']);
    });

    it('take 128 operations and not one more', async () => {
      const puts = (count: number): ReturnType<typeof put>[] =>
        Array.from({ length: count }, (_, i) => put(at(`k${i}`), ''));
      await expect(store.txn({ then: puts(129) })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      expect((await store.get(all())).count).toBe(0);
      await store.txn({ then: puts(128) });
      expect((await store.get(all())).count).toBe(128);
    });

    it('with a dead lease in the branch that runs are refused as a whole; in the other they pass', async () => {
      const onDead = put(at('leased'), '', { lease: 12_345n });
      await expect(store.txn({ then: [put(at('a'), ''), onDead] })).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining('lease') as string,
      });
      expect((await store.get(all())).count).toBe(0);
      await store.txn({ then: [put(at('a'), '')], else: [onDead] });
      expect((await store.get(all())).count).toBe(1);
    });

    it('are sent as values, too', async () => {
      await store.do(put(at('a'), '1'));
      expect(pairs(await store.do(get(all())))).toEqual(['a=1']);
      expect(await store.do(txn({ then: [remove(at('a'))] }))).toMatchObject({ succeeded: true });
      expect((await store.do(remove(all()))).deleted).toBe(0);
    });
  });

  describe('comparisons', () => {
    const holds = async (condition: readonly Compare[]): Promise<boolean> =>
      (await store.txn({ if: condition })).succeeded;

    it.each(['version', 'createRevision', 'modRevision', 'lease'] as const)(
      'of %s: equal, not equal, less, greater',
      async (target) => {
        const { id } = await store.lease.grant({ ttlSeconds: 60 });
        await store.put(at('k'), '1', { lease: id });
        await store.put(at('k'), '2', { lease: id });
        const actual = (await store.get(at('k'))).kvs[0]![target];
        const table: Record<CompareResult, boolean[]> = { '=': [], '!=': [], '<': [], '>': [] };
        for (const result of results)
          for (const operand of [actual - 1n, actual, actual + 1n])
            table[result].push(await holds([compare[target](at('k'), result, operand)]));
        expect(table).toEqual({
          '=': [false, true, false],
          '!=': [true, false, true],
          '<': [false, false, true],
          '>': [true, false, false],
        });
        await store.lease.revoke(id);
      },
    );

    it('of values, byte by byte', async () => {
      await putAll({ k: 'b' });
      const table: Record<CompareResult, boolean[]> = { '=': [], '!=': [], '<': [], '>': [] };
      for (const result of results)
        for (const operand of ['a', 'b', 'ba'])
          table[result].push(await holds([compare.value(at('k'), result, operand)]));
      expect(table).toEqual({
        '=': [false, true, false],
        '!=': [true, false, true],
        '<': [false, false, true],
        '>': [true, false, false],
      });
    });

    it('an absent key has version, revisions and lease 0, and no value at all', async () => {
      for (const target of ['version', 'createRevision', 'modRevision', 'lease'] as const)
        expect(await holds([compare[target](at('absent'), '=', 0n)])).toBe(true);
      for (const result of results)
        expect(await holds([compare.value(at('absent'), result, '')])).toBe(false);
    });

    it('over a range hold if they hold for every key of it', async () => {
      const last = await putAll({ a: 'x', b: 'x', c: 'y' });
      expect(await holds([compare.value(range(at('a'), at('c')), '=', 'x')])).toBe(true);
      expect(await holds([compare.value(all(), '=', 'x')])).toBe(false);
      expect(await holds([compare.modRevision(all(), '<', last + 1n)])).toBe(true);
      expect(await holds([compare.modRevision(all(), '<', last)])).toBe(false);
      expect(await holds([compare.createRevision(fromKey(at('a')), '>', 0n)])).toBe(true);
    });

    it('over an empty range are those of an absent key', async () => {
      expect(await holds([compare.createRevision(all(), '=', 0n)])).toBe(true);
      expect(await holds([compare.createRevision(all(), '>', 0n)])).toBe(false);
      expect(await holds([compare.value(all(), '=', 'x')])).toBe(false);
    });
  });

  describe('leases', () => {
    it('take their keys with them, all in one revision', async () => {
      const { id, ttlSeconds, sentAt } = await store.lease.grant({ ttlSeconds: 60 });
      expect(ttlSeconds).toBe(60);
      expect(sentAt).toBeLessThanOrEqual(systemRuntime.now());
      for (const key of ['b', 'a']) await store.put(at(key), '', { lease: id });
      await putAll({ stays: '' });
      const before = (await store.get(all())).header.revision;
      const { header } = await store.lease.revoke(id);
      expect(header.revision).toBe(before + 1n);
      expect(keys(await store.get(all()))).toEqual(['stays']);
    });

    it('tell their time and their keys, and are listed', async () => {
      const { id } = await store.lease.grant({ ttlSeconds: 60 });
      for (const key of ['b', 'a']) await store.put(at(key), '', { lease: id });
      const status = await store.lease.timeToLive(id, { keys: true });
      expect(status).toMatchObject({ id, grantedTtlSeconds: 60 });
      expect(status.ttlSeconds).toBeGreaterThan(0);
      expect(status.ttlSeconds).toBeLessThanOrEqual(60);
      expect(status.keys.map(bare).sort()).toEqual(['a', 'b']);
      expect((await store.lease.timeToLive(id)).keys).toEqual([]);
      expect((await store.lease.list()).leases).toContain(id);
      await store.lease.revoke(id);
      expect((await store.lease.list()).leases).not.toContain(id);
    });

    it('that do not exist have no time, and cannot be revoked, renewed or attached to', async () => {
      const dead = 987_654_321n;
      expect((await store.lease.timeToLive(dead)).ttlSeconds).toBe(-1);
      const missing = { code: 'NOT_FOUND' };
      await expect(store.lease.revoke(dead)).rejects.toMatchObject(missing);
      await expect(store.lease.keepAliveOnce(dead)).rejects.toMatchObject(missing);
      await expect(store.put(at('k'), '', { lease: dead })).rejects.toMatchObject(missing);
    });

    it('have the id asked for, once', async () => {
      const id = 4_611_686_018_427_387_905n; // not a safe integer
      expect((await store.lease.grant({ id, ttlSeconds: 60 })).id).toBe(id);
      await expect(store.lease.grant({ id, ttlSeconds: 60 })).rejects.toMatchObject({
        code: 'ALREADY_EXISTS',
      });
      await store.lease.revoke(id);
    });

    it('last at least as long as the server thinks sensible', async () => {
      const { id, ttlSeconds } = await store.lease.grant({ ttlSeconds: 1 });
      expect(ttlSeconds).toBe(2);
      await store.lease.revoke(id);
    });

    it('are renewed once on request', async () => {
      const { id } = await store.lease.grant({ ttlSeconds: 30 });
      const before = systemRuntime.now();
      const renewal = await store.lease.keepAliveOnce(id);
      expect(renewal.ttlSeconds).toBe(30);
      expect(renewal.sentAt).toBeGreaterThanOrEqual(before);
      await store.lease.revoke(id);
    });

    it('are kept alive past their time, and end when nobody does', { timeout: 60_000 }, async () => {
      const kept = await store.lease.grant({ ttlSeconds: 2 });
      const left = await store.lease.grant({ ttlSeconds: 2 });
      await store.put(at('kept'), '', { lease: kept.id });
      const { header } = await store.put(at('left'), '', { lease: left.id });
      const renewals = store.lease.keepAlive(kept.id, { ttlSeconds: 2 });
      await renewals.next();
      const keeping = (async () => {
        for await (const renewal of renewals) expect(renewal.ttlSeconds).toBe(2);
      })();
      for await (const notice of store.watch(at('left'), { startRevision: header.revision + 1n })) {
        if (notice.kind === 'events') break;
      }
      expect(keys(await store.get(all()))).toEqual(['kept']);
      await store.lease.revoke(kept.id);
      await expect(keeping).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('are not renewed any more after a break, and not after an abort, which throws its reason', async () => {
      const { id } = await store.lease.grant({ ttlSeconds: 60 });
      for await (const renewal of store.lease.keepAlive(id)) {
        expect(renewal.ttlSeconds).toBe(60);
        break;
      }
      const abort = new AbortController();
      const renewals = store.lease.keepAlive(id, { signal: abort.signal });
      await renewals.next();
      const reason = new Error('enough');
      const next = renewals.next();
      abort.abort(reason);
      await expect(next).rejects.toBe(reason);
      await store.lease.revoke(id);
    });
  });

  describe('watches', () => {
    /** Reads notices until `enough`. */
    const read = async (
      options: WatchOptions,
      enough: (notices: readonly WatchNotice[]) => boolean,
      onCreated: () => Promise<unknown> = async () => {},
    ): Promise<WatchNotice[]> => {
      const notices: WatchNotice[] = [];
      for await (const notice of store.watch(all(), options)) {
        notices.push(notice);
        if (notice.kind === 'created') void onCreated();
        if (enough(notices)) break;
      }
      return notices;
    };
    const eventsOf = (notices: readonly WatchNotice[]): StoreEvent[] =>
      notices.flatMap((notice) => (notice.kind === 'events' ? notice.events : []));
    const seen =
      (count: number) =>
      (notices: readonly WatchNotice[]): boolean =>
        eventsOf(notices).length >= count;

    it('say from where they see everything, then show each event of their range, and no other', async () => {
      const { header } = await store.put(at('before'), '');
      const notices = await read({}, seen(3), async () => {
        await store.put(at('a'), '1');
        await store.put(`elsewhere/${root}`, 'x');
        await store.put(at('a'), '2');
        await store.remove(at('a'));
      });
      expect(notices[0]).toEqual({ kind: 'created', revision: header.revision });
      expect(story(eventsOf(notices))).toEqual(['a=1', 'a=2', '-a']);
      const events = notices.filter((notice) => notice.kind === 'events');
      expect(events.map(({ revision }) => revision)).toEqual([1n, 3n, 4n].map((n) => header.revision + n));
      expect(eventsOf(notices).map(({ kv }) => kv.modRevision)).toEqual(
        events.map(({ revision }) => revision),
      );
    });

    it('start at a revision of the past, and of the future', async () => {
      const last = await putAll({ a: '1', b: '2', c: '3' });
      const past = await read({ startRevision: last - 1n }, seen(2));
      expect(story(eventsOf(past))).toEqual(['b=2', 'c=3']);
      const future = await read({ startRevision: last + 2n }, seen(1), () => putAll({ d: '4', e: '5' }));
      expect(story(eventsOf(future))).toEqual(['e=5']);
    });

    it('deliver a revision as a whole', async () => {
      const { header } = await store.txn({ then: [put(at('a'), '1'), put(at('b'), '2'), put(at('c'), '3')] });
      const notices = await read({ startRevision: header.revision }, seen(1));
      expect(notices.filter(({ kind }) => kind === 'events')).toMatchObject([{ revision: header.revision }]);
      expect(story(eventsOf(notices))).toEqual(['a=1', 'b=2', 'c=3']);
    });

    it('deliver a revision as a whole also when it is larger than a message', async () => {
      const value = 'v'.repeat(400_000);
      const start = (await store.get(all())).header.revision + 1n;
      // Three revisions of about a megabyte: more than the server puts into one message.
      for (const round of ['x', 'y', 'z'])
        await store.txn({
          then: [put(at(`${round}1`), value), put(at(`${round}2`), value), put(at(`${round}3`), value)],
        });
      const notices = await read({ startRevision: start }, seen(9));
      const sizes = notices.flatMap((notice) => (notice.kind === 'events' ? [notice.events.length] : []));
      expect(sizes).toEqual([3, 3, 3]);
    });

    it('show the pair before on request', async () => {
      await putAll({ a: 'old' });
      const notices = await read({ prevKv: true }, seen(2), async () => {
        await store.put(at('a'), 'new');
        await store.remove(at('a'));
      });
      expect(eventsOf(notices).map(({ prevKv }) => toText(prevKv!.value))).toEqual(['old', 'new']);
    });

    it('leave out puts, or deletes', async () => {
      const work = async (): Promise<void> => {
        await store.put(at('a'), '1');
        await store.remove(at('a'));
        await store.put(at('b'), '2');
        await store.remove(at('b'));
      };
      const deletes = await read({ exclude: ['put'] }, seen(2), work);
      expect(story(eventsOf(deletes))).toEqual(['-a', '-b']);
      const puts = await read({ exclude: ['delete'] }, seen(2), work);
      expect(story(eventsOf(puts))).toEqual(['a=1', 'b=2']);
    });

    it('show the end of a lease as the removal of its keys, in one revision', async () => {
      const { id } = await store.lease.grant({ ttlSeconds: 60 });
      for (const key of ['a', 'b']) await store.put(at(key), '', { lease: id });
      const notices = await read({}, seen(2), () => store.lease.revoke(id));
      expect(notices.filter(({ kind }) => kind === 'events')).toHaveLength(1);
      expect(story(eventsOf(notices))).toEqual(['-a', '-b']);
    });

    it('throw what is compacted away, with the oldest revision left', async () => {
      const first = await putAll({ a: '1' });
      const last = await putAll({ a: '2', b: '3' });
      await store.compact(last);
      const reading = read({ startRevision: first }, seen(1));
      await expect(reading).rejects.toMatchObject({ code: 'COMPACTED', compactRevision: last });
      const notices = await read({ startRevision: last }, seen(1)); // the revision named is still there
      expect(story(eventsOf(notices))).toEqual(['b=3']);
    });

    it('give signs of life on request', { timeout: 30_000 }, async () => {
      const notices = await read({ progress: true }, (all) => all.some(({ kind }) => kind === 'progress'));
      expect(notices.map(({ kind }) => kind)).toEqual(['created', 'progress']);
    });

    it('end with the reason of an abort, also before the first event', async () => {
      const reason = new Error('enough');
      const abort = new AbortController();
      const reading = read(
        { signal: abort.signal },
        () => false,
        async () => abort.abort(reason),
      );
      await expect(reading).rejects.toBe(reason);
      await expect(read({ signal: AbortSignal.abort(reason) }, () => false)).rejects.toBe(reason);
    });

    it('end quietly by break, and others on the connection go on', async () => {
      const reading = read({}, seen(2), async () => {
        await read({}, ([notice]) => notice?.kind === 'created');
        await putAll({ a: '1', b: '2' });
      });
      expect(story(eventsOf(await reading))).toEqual(['a=1', 'b=2']);
    });

    it('send nothing before they are read', async () => {
      const watch = store.watch(all());
      await putAll({ unseen: '' });
      const first = await watch.next();
      expect(first.value).toMatchObject({ kind: 'created' });
      await putAll({ seen: '' });
      expect(story(eventsOf([(await watch.next()).value!]))).toEqual(['seen=']);
      await watch.return();
    });

    it('lose nothing to a reader who is slower than the writer', { timeout: 60_000 }, async () => {
      const writes = 1_500; // more than are kept for a slow reader
      const seenValues: number[] = [];
      const watch = store.watch(at('n'));
      await watch.next();
      for (let n = 0; n < writes; n += 100)
        await Promise.all(Array.from({ length: 100 }, (_, i) => store.put(at('n'), String(n + i))));
      const first = (await store.get(at('n'))).kvs[0]!;
      for await (const notice of watch) {
        for (const { kv } of eventsOf([notice])) seenValues.push(Number(kv.version));
        if (seenValues.at(-1) === Number(first.version)) break;
      }
      expect(seenValues).toEqual(Array.from({ length: writes }, (_, i) => i + 1));
    });
  });

  describe('compaction', () => {
    it('keeps the present and the revision named, and refuses what is older', async () => {
      const old = await putAll({ a: '1', b: '1' });
      const kept = await putAll({ a: '2' });
      await putAll({ a: '3' });
      await store.compact(kept, { physical: true });
      await expect(store.get(all(), { revision: old })).rejects.toMatchObject({ code: 'COMPACTED' });
      expect(pairs(await store.get(all(), { revision: kept }))).toEqual(['a=2', 'b=1']);
      expect(pairs(await store.get(all()))).toEqual(['a=3', 'b=1']);
    });

    it('of what is compacted already, or not there yet, is refused', async () => {
      const last = await putAll({ a: '1', b: '2' });
      await store.compact(last);
      await expect(store.compact(last)).rejects.toMatchObject({ code: 'COMPACTED' });
      await expect(store.compact(last + 1_000n)).rejects.toMatchObject({ code: 'FUTURE_REVISION' });
    });
  });

  describe('before any I/O', () => {
    it('bad arguments are refused by name', async () => {
      await expect(store.put('', 'x')).rejects.toThrow(TypeError);
      await expect(store.get('')).rejects.toThrow(TypeError);
      await expect(store.get(all(), { limit: -1 })).rejects.toThrow(RangeError);
      await expect(store.get(all(), { revision: -1n })).rejects.toThrow(RangeError);
      await expect(store.get(all(), { timeoutMs: NaN })).rejects.toThrow(RangeError);
      await expect(store.put('k', 'v', { ignoreValue: true })).rejects.toThrow(TypeError);
      await expect(store.put('k', 'v', { ignoreLease: true, lease: 1n })).rejects.toThrow(TypeError);
      await expect(store.lease.grant({ ttlSeconds: 0 })).rejects.toThrow(RangeError);
      await expect(store.lease.grant({ ttlSeconds: 1.5 })).rejects.toThrow(RangeError);
    });

    it('an aborted signal rejects with its reason', async () => {
      const reason = new Error('enough');
      await expect(store.put(at('k'), 'v', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      expect((await store.get(at('k'))).count).toBe(0);
    });
  });

  describe('once closed', () => {
    it('refuses calls, and ends its watches and keep-alives, with ClosedError', async () => {
      const other = new Store(backend.transport(), { runtime: systemRuntime });
      const { id } = await other.lease.grant({ ttlSeconds: 60 });
      const renewals = other.lease.keepAlive(id);
      const watch = other.watch(all());
      await Promise.all([renewals.next(), watch.next()]);
      const closed = { code: 'CLOSED' };
      const ends = [
        expect(watch.next()).rejects.toMatchObject(closed),
        expect(renewals.next()).rejects.toMatchObject(closed),
      ];
      await other.close();
      await other.close();
      await Promise.all(ends);
      await expect(other.get(at('k'))).rejects.toMatchObject(closed);
      await expect(other.watch(all()).next()).rejects.toMatchObject(closed);
      expect((await store.lease.timeToLive(id)).ttlSeconds).toBeGreaterThan(0);
      await store.lease.revoke(id);
    });
  });
}
