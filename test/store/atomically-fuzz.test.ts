import { describe, expect, it } from 'vitest';
import { atomically, type Conclave, isConclaveError, prefix, type Transaction } from '../../src/index.js';
import { Random } from '../../src/testing/random.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { fates } from '../lock/lines.js';

type Atomically = (client: Conclave, body: (txn: Transaction) => Promise<void>) => Promise<void>;

const isCommit = ({ then }: RequestTo<'txn'>): boolean =>
  then.some((op) => op.kind === 'put' && Buffer.from(op.key).toString().startsWith('n/'));

/** Each move takes 1 from one key and gives it to another, and writes down that it was made. */
const move =
  (from: string, to: string, name: string) =>
  async (txn: Transaction): Promise<void> => {
    const [a, b] = await Promise.all([txn.getText(`n/${from}`), txn.getText(`n/${to}`)]);
    txn.put(`n/${from}`, String(Number(a ?? 0) - 1));
    txn.put(`n/${to}`, String(Number(b ?? 0) + 1));
    const count = Number((await txn.getText(`n/moves/${name}`)) ?? 0);
    txn.put(`n/moves/${name}`, String(count + 1));
  };

interface Outcome {
  /** What became of each move, as it was told. */
  readonly told: ReadonlyMap<string, 'done' | 'unknown' | 'not-done'>;
  /** How often each was made, at the end of all. */
  readonly made: ReadonlyMap<string, number>;
}

async function play(seed: number, run: Atomically): Promise<Outcome> {
  await using world = await World.open({ seed });
  world.allowKeys('n/');
  const random = new Random(seed);
  const told = new Map<string, 'done' | 'unknown' | 'not-done'>();
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.between(0, list.length))]!;
  const clients = [await world.client(), await world.client(), await world.client()];
  const all = clients.map(async (client, who) => {
    for (let i = 0; i < 5; i++) {
      if (random.next() < 0.5) pick(fates)[1](world, client, { method: 'txn', where: isCommit });
      const name = `${who}-${i}`;
      const keys = ['a', 'b', 'c'];
      const from = pick(keys);
      const to = pick(keys.filter((key) => key !== from));
      try {
        await run(client, move(from, to, name));
        told.set(name, 'done');
      } catch (error) {
        if (!isConclaveError(error)) throw error;
        told.set(name, error.code === 'OUTCOME_UNKNOWN' ? 'unknown' : 'not-done');
      }
      // Somebody who makes what is compared come back as it was, as far as that goes.
      if (random.next() < 0.3) await world.store.remove(`n/${pick(keys)}`);
    }
  });
  await world.run(Promise.all(all), { limitMs: 600_000 });
  await world.advance(60_000); // late copies
  const { kvs } = await world.store.get(prefix('n/moves/'));
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
  const made = new Map(
    kvs.map(({ key, value }) => [text(key).slice('n/moves/'.length), Number(text(value))]),
  );
  return { told, made };
}

const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

describe('transactions', () => {
  it('are done once each by conclave.atomically, whatever becomes of requests and answers', async () => {
    let done = 0;
    for (const seed of seeds) {
      const { told, made } = await play(seed, (client, body) => client.atomically(body));
      for (const [name, what] of told) {
        expect([seed, name, what, made.get(name) ?? 0]).toEqual([seed, name, what, what === 'done' ? 1 : 0]);
        if (what === 'done') done++;
      }
    }
    expect(done).toBeGreaterThan(0.9 * 15 * seeds.length);
  });

  it('on a store are never done twice, and what is told of them is true', async () => {
    const seen = { done: 0, unknown: 0, 'not-done': 0 };
    for (const seed of seeds) {
      const { told, made } = await play(seed, (client, body) => atomically(client.store, body));
      for (const [name, what] of told) {
        const times = made.get(name) ?? 0;
        const isTrue = what === 'done' ? times === 1 : what === 'unknown' ? times <= 1 : times === 0;
        expect([seed, name, what, times, isTrue]).toEqual([seed, name, what, times, true]);
        seen[what]++;
      }
    }
    expect(seen.unknown).toBeGreaterThan(0);
    expect(seen.done).toBeGreaterThan(seen.unknown);
  });
});
