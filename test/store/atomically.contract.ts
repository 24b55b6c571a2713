import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { atomically, isConclaveError, prefix, range, toText, type Transaction } from '../../src/index.js';
import { Store } from '../../src/store/store.js';
import type { Backend } from './contract.js';

/** What `atomically` promises, whatever the store runs on. Each test has keys of its own, below `at('')`. */
export function atomicallyContract(start: () => Promise<Backend>): void {
  let backend: Backend;
  let stores: readonly Store[];
  let store: Store;
  let tests = 0;
  let root = '';

  const at = (key: string): string => root + key;
  const valueOf = async (key: string): Promise<string | undefined> => {
    const [kv] = (await store.get(at(key))).kvs;
    return kv && toText(kv.value);
  };
  const add = async (txn: Transaction, key: string, amount: number): Promise<number> => {
    const sum = Number((await txn.getText(at(key))) ?? 0) + amount;
    txn.put(at(key), String(sum));
    return sum;
  };
  /** Runs `others` in the first run of a body, at the point where this is called. */
  const once = (others: () => Promise<unknown>): (() => Promise<void>) => {
    let isDone = false;
    return async () => {
      if (isDone) return;
      isDone = true;
      await others();
    };
  };

  beforeAll(async () => {
    backend = await start();
    stores = Array.from({ length: 4 }, () => new Store(backend.transport(), { runtime: systemRuntime }));
    [store] = stores as [Store];
  });
  afterAll(async () => {
    await Promise.all(stores.map((each) => each.close()));
    await backend[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    root = `atomic-${++tests}/`;
  });

  describe('a transaction', () => {
    it('writes all that was put and removed at one revision, and returns what its body does', async () => {
      await store.put(at('old'), 'x');

      const result = await atomically(store, async (txn) => {
        txn.remove(at('old'));
        txn.put(at('b'), '2');
        return add(txn, 'a', 1);
      });

      expect(result).toBe(1);
      const { kvs } = await store.get(prefix(root));
      expect(kvs.map(({ key }) => toText(key))).toEqual([at('a'), at('b')]);
      expect(kvs[0]?.modRevision).toBe(kvs[1]?.modRevision);
    });

    it('sees its own writes, one by one and in a range', async () => {
      await store.put(at('a'), '1');
      await store.put(at('b'), '2');

      const seen = await atomically(store, async (txn) => {
        txn.put(at('c'), '3');
        txn.put(at('a'), 'new');
        txn.remove(at('b'));
        const pairs = await txn.getAll(range(at('a'), at('d')));
        const texts = await Promise.all(['a', 'b', 'c'].map((key) => txn.getText(at(key))));
        return [...texts, ...pairs.map(({ key, value }) => `${toText(key)}=${toText(value)}`)];
      });

      expect(seen).toEqual(['new', undefined, '3', `${at('a')}=new`, `${at('c')}=3`]);
    });

    it('writes nothing if its body throws, and rejects with that error', async () => {
      const error = new Error('no');
      const failing = atomically(store, (txn) => {
        txn.put(at('a'), '1');
        throw error;
      });
      await expect(failing).rejects.toBe(error);
      expect(await valueOf('a')).toBeUndefined();
    });

    it('runs again when somebody has changed what it has read', async () => {
      const interfere = once(() => store.put(at('a'), '10'));
      let runs = 0;
      await atomically(store, async (txn) => {
        runs++;
        await add(txn, 'a', 1);
        await interfere();
      });
      expect([runs, await valueOf('a')]).toEqual([2, '11']);
    });

    it('runs again when somebody has changed what it writes without having read it', async () => {
      await store.put(at('read'), 'x');
      const interfere = once(() => store.put(at('a'), 'theirs'));
      let runs = 0;
      await atomically(store, async (txn) => {
        runs++;
        await txn.get(at('read'));
        txn.put(at('a'), 'ours');
        await interfere();
      });
      expect([runs, await valueOf('a')]).toEqual([2, 'ours']);
    });

    it('sees one revision, however much others write between its reads', async () => {
      await store.put(at('a'), '1');
      await store.put(at('b'), '1');
      const bump = async (): Promise<void> => {
        await atomically(store, async (txn) => {
          await add(txn, 'a', 1);
          await add(txn, 'b', 1);
        });
      };
      const seen = await atomically(store, async (txn) => {
        const first = await txn.getText(at('a'));
        await bump();
        const second = await txn.getText(at('b'));
        await bump();
        const pairs = await txn.getAll(prefix(root));
        return [first, second, ...pairs.map(({ value }) => toText(value))];
      });
      expect(seen).toEqual(['1', '1', '1', '1']);
      expect(await valueOf('a')).toBe('3');
    });

    it('lets no two that read both and write one each contradict each other (write skew)', async () => {
      await store.put(at('anna'), 'on call');
      await store.put(at('ben'), 'on call');
      let met = 0;
      let open = (): void => {};
      const both = new Promise<void>((resolve) => (open = resolve));
      const leave = (who: Store, name: string): Promise<void> =>
        atomically(who, async (txn) => {
          const onCall = (await txn.getAll(prefix(root))).filter(({ value }) => toText(value) === 'on call');
          if (++met === 2) open();
          await both;
          if (onCall.length > 1) txn.put(at(name), 'off');
        });

      await Promise.all([leave(store, 'anna'), leave(stores[1] ?? store, 'ben')]);

      expect([await valueOf('anna'), await valueOf('ben')].sort()).toEqual(['off', 'on call']);
    });

    it.each([
      ['adds a key to it', () => store.put(at('in/b'), '1'), 2],
      ['removes a key of it', () => store.remove(at('in/a')), 0],
    ] as const)('that has read a range runs again when somebody %s', async (_, interfere, count) => {
      await store.put(at('in/a'), '1');
      const first = once(interfere);
      let runs = 0;
      await atomically(store, async (txn) => {
        runs++;
        const pairs = await txn.getAll(prefix(at('in/')));
        await first();
        txn.put(at('count'), String(pairs.length));
      });
      expect([runs, await valueOf('count')]).toEqual([2, String(count)]);
    });

    it('begins anew when its revision is compacted away', async () => {
      await store.put(at('a'), '1');
      const compact = once(async () => {
        const { header } = await store.put(at('a'), '2');
        await store.compact(header.revision);
      });
      const value = await atomically(store, async (txn) => {
        await txn.get(at('b'));
        await compact();
        return txn.getText(at('a'));
      });
      expect(value).toBe('2');
    });

    it('puts under a lease, and keeps the one a key has', async () => {
      const { id } = await store.lease.grant({ ttlSeconds: 60 });
      await atomically(store, (txn) => txn.put(at('a'), '1', { lease: id }));
      await atomically(store, (txn) => txn.put(at('a'), '2', { ignoreLease: true }));
      expect((await store.get(at('a'))).kvs).toMatchObject([{ lease: id, version: 2n }]);
      await store.lease.revoke(id);
      const late = atomically(store, (txn) => txn.put(at('b'), '1', { lease: id }));
      await expect(late).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('gives up after as many runs as it may have, and names the keys it has lost on', async () => {
      const losing = atomically(
        store,
        async (txn) => {
          await add(txn, 'a', 1);
          await store.put(at('a'), '7');
        },
        { maxAttempts: 2 },
      );
      const error: unknown = await losing.catch((reason: unknown) => reason);
      expect(isConclaveError(error, 'CONFLICT') && error.message).toBe(
        `atomically: lost 2 times against others, last on "${at('a')}"`,
      );
      expect(await valueOf('a')).toBe('7');
    });

    it('that is too large for the store says by how much', async () => {
      const large = atomically(store, (txn) => {
        for (let i = 0; i < 200; i++) txn.put(at(String(i)), 'x');
      });
      await expect(large).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
        message: expect.stringContaining('relies on 200 keys and ranges and writes 200') as string,
      });
    });

    it('cannot be used once its body has returned', async () => {
      const kept: Transaction = await atomically(store, (txn) => ({ txn })).then(({ txn }) => txn);
      expect(() => kept.put(at('a'), '1')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
      await expect(kept.get(at('a'))).rejects.toMatchObject({ code: 'CLOSED' });
    });
  });

  it('100 increments at once by four clients are all counted', async () => {
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        for (let n = 0; n < 5; n++) await atomically(stores[i % 4] ?? store, (txn) => add(txn, 'count', 1));
      }),
    );
    expect(await valueOf('count')).toBe('100');
  });

  it('transfers between accounts keep the sum, and each look at all of them sees it', async () => {
    const accounts = Array.from({ length: 5 }, (_, i) => `account/${i}`);
    for (const account of accounts) await store.put(at(account), '100');
    const sumOf = (who: Store): Promise<number> =>
      atomically(who, async (txn) => {
        const pairs = await txn.getAll(prefix(at('account/')));
        return pairs.reduce((sum, { value }) => sum + Number(toText(value)), 0);
      });
    const transfers = stores.map(async (who, i) => {
      for (let n = 0; n < 8; n++) {
        const [from, to] = [accounts[(i + n) % 5] ?? '', accounts[(i + 2 * n + 1) % 5] ?? ''];
        await atomically(who, async (txn) => {
          await add(txn, from, -7);
          await add(txn, to, 7);
        });
        expect(await sumOf(who)).toBe(500);
      }
    });
    await Promise.all(transfers);
    expect(await sumOf(store)).toBe(500);
  });
}
