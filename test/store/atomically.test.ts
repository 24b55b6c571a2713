import { describe, expect, it } from 'vitest';
import {
  atomically,
  type Conclave,
  FutureRevisionError,
  prefix,
  type Store,
  type Transaction,
} from '../../src/index.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { fates } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';

/** A commit writes, a fence only in its `else`. */
const isCommit = ({ then }: RequestTo<'txn'>): boolean =>
  then.some((op) => op.kind === 'put' && isData(op.key));
const isData = (key: Uint8Array): boolean => Buffer.from(key).toString().startsWith('n/');

async function stage(world: World): Promise<Conclave> {
  world.allowKeys('n/');
  return world.client();
}

/** Reads another key, too, so that a run can be made to lose without a change of the one it writes. */
async function increment(txn: Transaction): Promise<void> {
  const [count = '0'] = await Promise.all([txn.getText('n/count'), txn.get('n/other')]);
  txn.put('n/count', String(Number(count) + 1));
}

async function count(world: World): Promise<number> {
  const [kv] = (await world.store.get('n/count')).kvs;
  return Number(kv ? Buffer.from(kv.value).toString() : 0);
}

describe('atomically on a store', () => {
  it('reads at the same time in one round trip, and writes in another', async () => {
    await using world = await World.open();
    const client = await stage(world);
    await atomically(client.store, increment);
    expect(world.calls(client)).toHaveLength(2);
  });

  it('commits nothing if it has only read', async () => {
    await using world = await World.open();
    const client = await stage(world);
    await atomically(client.store, (txn) => txn.get('n/count'));
    expect(world.calls(client)).toHaveLength(1);
  });

  it.each(fates)('a commit %s is never done twice, and what is told is true', async (_, strike) => {
    await using world = await World.open();
    const client = await stage(world);
    await world.store.put('n/count', '5');
    const fault = strike(world, client, { method: 'txn', where: isCommit });

    const told = await world.run(outcome(atomically(client.store, increment)));

    expect(fault.hasFired).toBe(true);
    const settled = await count(world);
    if (told === undefined) expect(settled).toBe(6);
    else expect(told).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await world.advance(60_000);
    expect(await count(world)).toBe(settled);
  });

  it('sends a commit that got lost again, and it is done', async () => {
    await using world = await World.open();
    const client = await stage(world);
    await world.store.put('n/count', '5');
    world.dropRequest(client, { method: 'txn', where: isCommit });
    await world.run(atomically(client.store, increment));
    expect(await count(world)).toBe(6);
  });

  it.each([64, 126])('sends a commit of %d keys that got lost again, and it is done', async (keys) => {
    await using world = await World.open();
    const client = await stage(world);
    const names = Array.from({ length: keys }, (_, i) => `n/${i}`);
    for (const name of names) await world.store.put(name, '5');
    world.dropRequest(client, { method: 'txn', where: isCommit });
    const running = atomically(client.store, async (txn) => {
      const values = await Promise.all(names.map((name) => txn.getText(name)));
      values.forEach((value, i) => txn.put(`n/${i}`, String(Number(value) + 1)));
    });
    await world.run(running);
    const { kvs } = await world.store.get(prefix('n/'));
    expect(new Set(kvs.map(({ value }) => Buffer.from(value).toString()))).toEqual(new Set(['6']));
  });

  it('runs again if a lost commit is surely not done, because others have written something else', async () => {
    await using world = await World.open();
    const client = await stage(world);
    await world.store.put('n/count', '5');
    world.dropRequest(client, { method: 'txn', where: isCommit, isSilent: true });
    const running = atomically(client.store, increment);
    await world.settle();
    await world.store.put('n/count', '40');
    await world.run(running);
    expect(await count(world)).toBe(41);
  });

  it('kills a commit on its way before it runs again, when others have changed what it has only read', async () => {
    await using world = await World.open();
    const client = await stage(world);
    await world.store.put('n/count', '5');
    const fault = world.delayRequest(client, { method: 'txn', where: isCommit, ms: 20_000, isSilent: true });
    const running = atomically(client.store, async (txn) => {
      if ((await txn.get('n/other')) !== undefined) return 'refused';
      await increment(txn);
      return 'done';
    });
    await world.settle();
    await world.store.put('n/other', 'there');
    expect([await world.run(running), fault.hasFired]).toEqual(['refused', true]);
    // As it was when the commit was sent: all that it compares would hold, but for the fence.
    await world.store.remove('n/other');
    await world.advance(60_000);
    expect(await count(world)).toBe(5);
  });

  it('says that it does not know if all it writes is new, and does not send it again', async () => {
    await using world = await World.open();
    const client = await stage(world);
    world.dropReply(client, { method: 'txn', where: isCommit });
    const told = await world.run(outcome(atomically(client.store, increment)));
    expect(told).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(world.calls(client)).toHaveLength(2);
    expect(await count(world)).toBe(1);
  });

  it('runs again if a member that lags does not know the revision it has begun with', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const { store } = client;
    let requests = 0;
    const txn = async (parts: Parameters<typeof store.txn>[0]): Promise<unknown> => {
      if (++requests === 2) throw new FutureRevisionError('not there yet');
      return store.txn(parts);
    };
    const lagging = { runtime: store.runtime, timeoutMs: store.timeoutMs, txn } as unknown as Store;
    let runs = 0;
    const reading = atomically(lagging, async (each) => {
      runs++;
      await each.get('n/a');
      await each.get('n/b');
    });
    await world.run(reading);
    expect([runs, requests]).toEqual([2, 4]);
  });

  it('ends with the reason of its signal while its body waits, and nothing is written', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const reason = new Error('enough');
    const abort = new AbortController();
    let seen: unknown;
    const running = atomically(
      client.store,
      async (txn) => {
        txn.signal.addEventListener('abort', () => (seen = String(txn.signal.reason)));
        txn.put('n/count', '1');
        await new Promise(() => {});
      },
      { signal: abort.signal },
    );
    const told = outcome(running);
    await world.settle();
    abort.abort(reason);
    expect([await told, seen, await count(world)]).toEqual([reason, 'Error: enough', 0]);
  });

  it('leaves no rejection unhandled of reads that were begun together, when the first of them fails', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', onUnhandled);
    world.partition(client);
    const reading = atomically(
      client.store,
      async (txn) => {
        const reads = [txn.get('n/a'), txn.getText('n/b'), txn.getAll('n/c')];
        for (const read of reads) await read;
      },
      { timeoutMs: 100 },
    );
    expect(await world.run(outcome(reading))).toMatchObject({ code: 'WAIT_TIMEOUT' });
    await world.advance(10_000);
    await new Promise(setImmediate);
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
  });

  it('ends after its time, and says what it has lost against', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const losing = atomically(
      client.store,
      async (txn) => {
        await increment(txn);
        await world.store.put('n/count', '0');
      },
      { timeoutMs: 3_000 },
    );
    const told = await world.run(outcome(losing));
    expect(told).toMatchObject({ code: 'WAIT_TIMEOUT', waitedMs: 3_000 });
    expect(String(told)).toMatch(/lost \d+ times against others, last on "n\/count"/);
  });

  it('is run once and not again with a time of 0', async () => {
    await using world = await World.open();
    const client = await stage(world);
    let runs = 0;
    const losing = atomically(
      client.store,
      async (txn) => {
        runs++;
        await increment(txn);
        await world.store.put('n/count', '0');
      },
      { timeoutMs: 0 },
    );
    expect([await outcome(losing), runs]).toMatchObject([{ code: 'WAIT_TIMEOUT' }, 1]);
  });

  it.each([
    [{ attempts: 3 }, TypeError],
    [{ maxAttempts: 0 }, RangeError],
    [{ timeoutMs: -1 }, RangeError],
  ])('options %j are refused before anything is sent', async (options, type) => {
    await using world = await World.open();
    const client = await stage(world);
    await expect(atomically(client.store, increment, options as object)).rejects.toThrow(type);
    expect(world.calls(client)).toEqual([]);
  });
});

describe('conclave.atomically', () => {
  it.each(fates)('a commit %s is done exactly once', async (_, strike) => {
    await using world = await World.open();
    const client = await stage(world);
    const fault = strike(world, client, { method: 'txn', where: isCommit });

    await world.run(client.atomically(increment));

    expect(fault.hasFired).toBe(true);
    expect(await count(world)).toBe(1);
    await world.advance(60_000);
    expect(await count(world)).toBe(1);
  });

  it('does not do it again after others have removed all that it has made', async () => {
    await using world = await World.open();
    const client = await stage(world);
    world.repeatRequest(client, { method: 'txn', where: isCommit, ms: 20_000 });
    const running = client.atomically(increment);
    await world.settle();
    await world.store.remove('n/count');
    await world.run(running);
    await world.advance(60_000);
    expect(await count(world)).toBe(0);
  });

  it('runs again when others have changed something, and names the keys when it gives up', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const told = client.atomically(
      async (txn) => {
        await increment(txn);
        await world.store.put('n/other', 'x');
      },
      { maxAttempts: 3 },
    );
    expect(await world.run(outcome(told))).toMatchObject({
      code: 'CONFLICT',
      message: 'atomically: lost 3 times against others, last on "n/other"',
    });
  });
});
