import { describe, expect, it } from 'vitest';
import {
  type Conclave,
  isConclaveError,
  type KeyValue,
  prefix,
  type StoreEvent,
  toText,
} from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { Random } from '../../src/testing/random.js';
import { watched } from '../lock/lines.js';
import { keysBelow } from './parties.js';
import { torment } from './torment.js';

const seeds = Number(process.env['CONCLAVE_FUZZ_SEEDS'] ?? 30);
const from = Number(process.env['CONCLAVE_FUZZ_FROM'] ?? 1);
const parties = 3;

interface Outcome {
  readonly kind: 'tripped' | 'broken';
  readonly parties: readonly { ticket: string }[];
  readonly by: { ticket: string };
  readonly upTo: bigint;
}

/** What one call came to. */
interface Result {
  readonly kind: 'passed' | 'left' | 'failed';
  readonly round?: bigint;
  readonly index?: number;
  readonly code?: string;
  readonly key?: string;
}

/** Everything that happens below a prefix, whole revision by whole revision; says what must not be. */
class Judge {
  readonly wrong: string[] = [];
  readonly outcomes = new Map<bigint, Outcome>();
  readonly #start: string;
  readonly #isDouble: boolean;
  readonly #tickets = new Map<string, bigint>();
  readonly #gone = new Map<string, 'done' | 'left' | 'died'>();
  readonly #passed = new Set<string>();

  constructor(start: string, isDouble: boolean) {
    this.#start = start;
    this.#isDouble = isDouble;
  }

  hear(events: readonly StoreEvent[]): void {
    const hasLeft = events.some(({ type, kv }) => type === 'put' && this.#name(kv) === 'left');
    for (const { type, kv } of events) {
      const name = this.#name(kv);
      const [folder, rest = ''] = name.split('/');
      if (folder === 'in' && type === 'put') this.#tickets.set(rest, kv.createRevision);
      if (folder === 'in' && type === 'delete') {
        const place = this.#tickets.get(rest) ?? 0n;
        this.#tickets.delete(rest);
        const isDecided = [...this.outcomes.keys()].some((upTo) => upTo >= place);
        const isAlone = this.#tickets.size === 0;
        this.#gone.set(rest, isDecided ? 'done' : hasLeft || isAlone ? 'left' : 'died');
      }
      if (folder === 'out' && type === 'put') this.#decide(BigInt(`0x${rest}`), kv);
    }
  }

  #name({ key }: KeyValue): string {
    return toText(key).slice(this.#start.length);
  }

  #decide(upTo: bigint, kv: KeyValue): void {
    if (kv.version > 1n) this.wrong.push(`outcome ${upTo} was written twice`);
    const outcome = { ...(JSON.parse(toText(kv.value)) as Outcome), upTo };
    const latest = [...this.outcomes.keys()].reduce((a, b) => (a > b ? a : b), 0n);
    if (upTo <= latest && this.#tickets.size > 0) this.wrong.push(`outcome ${upTo} after ${latest}`);
    if (this.outcomes.has(upTo)) return;
    this.outcomes.set(upTo, outcome);
    if (outcome.kind === 'broken') {
      if (this.#gone.get(outcome.by.ticket) !== 'died')
        this.wrong.push(`${outcome.by.ticket} is blamed, and has not died`);
      return;
    }
    if (outcome.parties.length !== parties) this.wrong.push(`a round of ${outcome.parties.length}`);
    if (this.#isDouble && [...this.#passed].some((ticket) => this.#tickets.has(ticket)))
      this.wrong.push(`round ${upTo} while another is inside`);
    for (const { ticket } of outcome.parties) {
      if (this.#passed.has(ticket)) this.wrong.push(`${ticket} passes twice`);
      if (this.#gone.get(ticket) === 'left') this.wrong.push(`${ticket} is counted, and had left`);
      if (!this.#tickets.has(ticket) && !this.#gone.has(ticket)) this.wrong.push(`${ticket} never came`);
      this.#passed.add(ticket);
    }
  }

  /** Every answer that somebody got is what was written. */
  check(results: readonly Result[]): void {
    const seen = new Set<string>();
    for (const { kind, round = 0n, index = -1 } of results) {
      if (kind === 'failed') continue;
      const outcome = this.outcomes.get(round);
      if (outcome?.kind !== 'tripped') this.wrong.push(`somebody passed in ${round}, which has not tripped`);
      if (kind === 'passed' && seen.has(`${round} ${index}`))
        this.wrong.push(`two are number ${index} of ${round}`);
      if (kind === 'passed') seen.add(`${round} ${index}`);
    }
  }
}

async function play(seed: number, isDouble: boolean): Promise<void> {
  await using world = await World.open({ seed });
  const random = new Random(seed * 7 + 1);
  const start = `conclave/${isDouble ? 'double' : 'cyclic'}-barrier/b/`;
  const judge = new Judge(start, isDouble);
  const over = new AbortController();
  const watching = (async () => {
    for await (const notice of world.store.watch(prefix(start), { signal: over.signal }))
      if (notice.kind === 'events') judge.hear(notice.events);
  })().catch(() => {});
  const clients: Conclave[] = [];
  for (let i = 0; i < parties; i++) clients.push(await world.client({ sessionTtlMs: 10_000 }));
  const results: Result[] = [];
  const once = async (client: Conclave, timeoutMs: number): Promise<void> => {
    try {
      if (!isDouble) {
        const trip = await client.cyclicBarrier('b', { parties }).wait({ timeoutMs });
        results.push({ kind: 'passed', ...trip });
        return;
      }
      const pass = await client.doubleBarrier('b', { parties }).enter({ timeoutMs });
      results.push({ kind: 'passed', round: pass.round, index: pass.index });
      await pass.leave({ timeoutMs });
      results.push({ kind: 'left', round: pass.round });
    } catch (error) {
      if (!isConclaveError(error)) throw error;
      results.push({ kind: 'failed', code: error.code });
    }
  };
  const loop = async (client: Conclave): Promise<void> => {
    for (let i = 0; i < 8; i++) await once(client, random.next() < 0.5 ? 30_000 : random.between(1, 2_000));
  };
  const loops = Promise.all([...clients, clients[0]!].map(loop));
  const playing = watched(world, loops);
  for (let i = 0; i < 60 && !playing.isIn; i++) {
    await torment(world, clients[Math.floor(random.between(0, parties))]!, random);
    await world.advance(random.between(0, 1_500));
  }
  await world.run(loops, { limitMs: 2_000_000 });
  for (const client of clients) {
    world.latency(client, {});
    world.lagWatches(client, 0);
  }
  await world.advance(60_000);
  // The next round is clean, and nothing is left of what came before.
  await world.run(
    Promise.all(
      clients.map((client) =>
        isDouble
          ? client.doubleBarrier('b', { parties }).run(() => {})
          : client.cyclicBarrier('b', { parties }).wait(),
      ),
    ),
  );
  await world.advance(30_000);
  const left = await keysBelow(world, start);
  over.abort();
  await watching;
  judge.check(results);
  expect({ seed, wrong: judge.wrong, left }).toEqual({ seed, wrong: [], left: [] });
  if (results.some(({ kind }) => kind === 'passed')) passing.add(seed);
  for (const { code } of results) if (code !== undefined) codes.add(code);
}

const passing = new Set<number>();
const codes = new Set<string>();

describe.each([
  ['cyclic', false],
  ['double', true],
])('a %s barrier, whatever happens to requests, watches and sessions', (_, isDouble) => {
  it(
    `keeps its promises (CONCLAVE_FUZZ_FROM=${from} CONCLAVE_FUZZ_SEEDS=${seeds})`,
    { timeout: seeds * 2_000 },
    async () => {
      passing.clear();
      codes.clear();
      for (let seed = from; seed < from + seeds; seed++) await play(seed, isDouble);
      // It is about something.
      expect(passing.size).toBeGreaterThan(seeds / 2);
      expect([...codes]).toEqual(expect.arrayContaining(['BROKEN_BARRIER', 'WAIT_TIMEOUT', 'SESSION_LOST']));
    },
  );
});
