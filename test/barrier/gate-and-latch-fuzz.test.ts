import { describe, expect, it } from 'vitest';
import { type Conclave, isConclaveError, prefix, toText } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { Random } from '../../src/testing/random.js';
import { watched } from '../lock/lines.js';
import { keysBelow } from './parties.js';
import { torment } from './torment.js';

const seeds = Number(process.env['CONCLAVE_FUZZ_SEEDS'] ?? 30);
const from = Number(process.env['CONCLAVE_FUZZ_FROM'] ?? 1);
const clientCount = 3;

/** What a call has told, and what the store's revision was before and after. */
interface Told {
  readonly what: string;
  readonly begun: bigint;
  readonly ended: bigint;
}

/** Everything below a prefix, as it was after each revision that changed it. */
class History {
  readonly wrong: string[] = [];
  readonly #states: { revision: bigint; keys: ReadonlyMap<string, bigint> }[] = [
    { revision: 0n, keys: new Map() },
  ];

  async follow(world: World, start: string, signal: AbortSignal): Promise<void> {
    for await (const notice of world.store.watch(prefix(start), { signal })) {
      if (notice.kind !== 'events') continue;
      const keys = new Map(this.#states.at(-1)?.keys);
      for (const { type, kv } of notice.events) {
        if (type === 'delete') keys.delete(toText(kv.key));
        else keys.set(toText(kv.key), kv.createRevision);
      }
      this.#states.push({ revision: notice.revision, keys });
    }
  }

  /** Whether it was ever so while the call was under way, or just before. */
  hadWhile({ begun, ended }: Told, holds: (keys: ReadonlyMap<string, bigint>) => boolean): boolean {
    return this.#states.some(({ revision, keys }, i) => {
      const until = this.#states[i + 1]?.revision ?? ended + 1n;
      return revision <= ended && until > begun && holds(keys);
    });
  }

  /** Each life of a key that ever was. */
  lives(): readonly string[] {
    return [...new Set(this.#states.flatMap(({ keys }) => [...keys].map(([key, life]) => `${key}@${life}`)))];
  }
}

interface Play {
  readonly world: World;
  readonly random: Random;
  readonly history: History;
  readonly told: Told[];
  readonly call: (what: string, work: () => Promise<unknown>) => Promise<void>;
}

/** Three clients do something for a while, whatever happens to them. */
async function play(
  seed: number,
  start: string,
  act: (client: Conclave, play: Play) => Promise<void>,
  check: (play: Play, clients: readonly Conclave[]) => Promise<readonly string[]>,
): Promise<void> {
  await using world = await World.open({ seed });
  const random = new Random(seed * 11 + 3);
  const history = new History();
  const over = new AbortController();
  const following = history.follow(world, start, over.signal).catch(() => {});
  const told: Told[] = [];
  const call = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    const begun = world.revision;
    const outcome = await work().then(
      (value: unknown) => (value === undefined ? 'done' : JSON.stringify(value)),
      (error: unknown) => {
        if (!isConclaveError(error)) throw error;
        return error.code;
      },
    );
    told.push({ what: `${what}: ${outcome}`, begun, ended: world.revision });
  };
  const all: Play = { world, random, history, told, call };
  const clients: Conclave[] = [];
  for (let i = 0; i < clientCount; i++) clients.push(await world.client({ sessionTtlMs: 10_000 }));
  const loops = Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < 12; i++) await act(client, all);
    }),
  );
  const playing = watched(world, loops);
  for (let i = 0; i < 50 && !playing.isIn; i++) {
    await torment(world, clients[Math.floor(random.between(0, clientCount))]!, random);
    await world.advance(random.between(0, 1_500));
  }
  await world.run(loops, { limitMs: 2_000_000 });
  for (const client of clients) {
    world.latency(client, {});
    world.lagWatches(client, 0);
  }
  await world.advance(60_000);
  const wrong = await check(all, clients);
  await world.advance(30_000);
  const left = await keysBelow(world, start);
  over.abort();
  await following;
  expect({ seed, wrong, left }).toEqual({ seed, wrong: [], left: [] });
  for (const { what } of told) heard.add(what);
}

const heard = new Set<string>();

const title = `(CONCLAVE_FUZZ_FROM=${from} CONCLAVE_FUZZ_SEEDS=${seeds})`;
const each = Array.from({ length: seeds }, (_, i) => from + i);

describe('a gate, whatever happens to requests, watches and sessions', () => {
  const key = 'conclave/gate/g';

  it(
    `lets pass only while it is open, and tells the truth ${title}`,
    { timeout: seeds * 2_000 },
    async () => {
      for (const seed of each) {
        await play(
          seed,
          key,
          async (client, { random, call }) => {
            const gate = client.gate('g');
            const dice = random.next();
            if (dice < 0.3) await call('close', () => gate.close());
            else if (dice < 0.4) await call('close', () => gate.close({ whileAlive: true }));
            else if (dice < 0.7) await call('open', () => gate.open());
            else await call('wait', () => gate.wait({ timeoutMs: random.between(1, 5_000) }));
          },
          async ({ history, told }, clients) => {
            await clients[0]!.gate('g').open();
            const isClosed = (keys: ReadonlyMap<string, bigint>): boolean => keys.has(key);
            const isOpen = (keys: ReadonlyMap<string, bigint>): boolean => !keys.has(key);
            const claims: Readonly<Record<string, (keys: ReadonlyMap<string, bigint>) => boolean>> = {
              'close: done': isClosed,
              'close: ALREADY_EXISTS': isClosed,
              'open: done': isOpen,
              'wait: done': isOpen,
            };
            return told
              .filter((each) => {
                const holds = claims[each.what];
                return holds && !history.hadWhile(each, holds);
              })
              .map(({ what, begun, ended }) => `${what} from ${begun} to ${ended}`);
          },
        );
      }
      expect([...heard]).toEqual(
        expect.arrayContaining([
          'close: done',
          'close: ALREADY_EXISTS',
          'open: done',
          'wait: done',
          'wait: WAIT_TIMEOUT',
        ]),
      );
    },
  );
});

describe('a latch, whatever happens to requests, watches and sessions', () => {
  const start = 'conclave/latch/l/';
  const count = 4;
  const ids = ['a', 'b', 'c', 'd', 'e'];

  it(
    `counts each id once, and opens when enough have arrived ${title}`,
    { timeout: seeds * 2_000 },
    async () => {
      for (const seed of each) {
        await play(
          seed,
          start,
          async (client, { random, call }) => {
            const latch = client.latch('l', { count });
            const id = ids[Math.floor(random.between(0, ids.length))]!;
            const dice = random.next();
            if (dice < 0.3) await call(`arrive ${id}`, () => latch.arrive(id));
            else if (dice < 0.6)
              await call('wait', () => latch.wait({ timeoutMs: random.between(1, 5_000) }));
            else await call('remaining', () => latch.remaining());
          },
          async ({ history, told }, clients) => {
            const arrived = (keys: ReadonlyMap<string, bigint>): number =>
              [...keys.keys()].filter((each) => each.startsWith(`${start}arrived/`)).length;
            const wrong: string[] = [];
            for (const each of told) {
              const [, remaining] = /^remaining: (\d+)$/.exec(each.what) ?? [];
              if (
                remaining !== undefined &&
                !history.hadWhile(each, (keys) => Math.max(0, count - arrived(keys)) === Number(remaining))
              )
                wrong.push(each.what);
              if (each.what === 'wait: done' && !history.hadWhile(each, (keys) => arrived(keys) >= count))
                wrong.push(each.what);
            }
            for (const id of ids) {
              const counted = told.filter(({ what }) => what === `arrive ${id}: true`).length;
              const lives = history
                .lives()
                .filter((life) => life.startsWith(`${start}arrived/${id}@`)).length;
              if (counted > 1 || lives > 1)
                wrong.push(`${id} was counted ${counted} times, put ${lives} times`);
              if (
                lives === 0 &&
                told.some(({ what }) => /: (true|false)$/.test(what) && what.startsWith(`arrive ${id}`))
              )
                wrong.push(`${id} has arrived, and is not there`);
            }
            await clients[0]!.latch('l', { count }).reset();
            return wrong;
          },
        );
      }
      expect([...heard]).toEqual(
        expect.arrayContaining([
          'arrive a: true',
          'arrive a: false',
          'wait: done',
          'wait: WAIT_TIMEOUT',
          'remaining: 0',
        ]),
      );
    },
  );
});
