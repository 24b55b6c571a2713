import { compare, get, type Hold, type KeyValue, put, txn, WaitTimeoutError } from '../../src/index.js';
import { numberOf, parseFacts } from '../history/facts.js';
import type { Facts } from '../history/record.js';
import type { Desk } from './workload.js';

/** What all who take locks come across, some time or other: see `Workload.sometimes`. */
export const troubles: readonly string[] = [
  'lost',
  'session.recovered',
  'ticket.waiting',
  'line.filled',
  'line.compacted',
  'take.found',
  'take.dead',
  'acquire: WAIT_TIMEOUT',
  'acquire: SESSION_LOST',
  'acquire: RESOURCE_EXHAUSTED',
  'write: OUTCOME_UNKNOWN',
  'write: HOLD_LOST',
  'release: HOLD_LOST',
];

export interface Wait {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

/** As histories tell of a hold. */
export function told({ key, fencingToken }: Hold): { readonly key: string; readonly token: number } {
  return { key, token: Number(fencingToken) };
}

/** A whole number, both ends included. */
export function whole({ random }: Desk, low: number, high: number): number {
  return Math.floor(random.between(low, high + 1));
}

/** Whether to wait for ever, not at all, or for a while. */
export function patienceOf({ random, signal }: Desk): Wait {
  const chance = random.next();
  if (chance < 0.7) return { signal };
  return { signal, timeoutMs: chance < 0.8 ? 0 : Math.floor(random.between(0, 500)) };
}

/** Takes something, and writes it down as `acquire`. */
export async function acquire<H extends Hold>(
  desk: Desk,
  on: string,
  input: Facts,
  take: () => Promise<H | undefined>,
): Promise<H> {
  const hold = await desk.call('acquire', on, input, async () => (await take()) ?? refused(), told);
  return desk.claim(on, hold);
}

/** What was tried could not be had: surely nothing came of it. */
function refused(): never {
  throw new WaitTimeoutError('it is not free', 0);
}

/** Never rejects: what becomes of it is written down. */
export async function giveBack(
  desk: Desk,
  on: string,
  hold: Hold,
  call: 'release' | 'resign' = 'release',
): Promise<void> {
  await desk.call(call, on, told(hold), () => hold.release()).catch(() => {});
}

/**
 * A count that is kept under the guard of a hold, outside of the namespace. Nobody else may write it as long as that stands:
 * who finds out that somebody has (`interference`) shares a lock that was to be his alone.
 */
export class Register {
  readonly #desk: Desk;
  readonly #on: string;
  readonly #hold: Hold;
  readonly #key: string;
  #n: number;
  /** Of the last write. */
  #revision: bigint;

  private constructor(desk: Desk, on: string, hold: Hold, key: string, n: number, revision: bigint) {
    this.#desk = desk;
    this.#on = on;
    this.#hold = hold;
    this.#key = key;
    this.#n = n;
    this.#revision = revision;
  }

  /** Reads it. @throws what `Hold.commit` does */
  static async open(desk: Desk, on: string, hold: Hold, register: string): Promise<Register> {
    const pair = await read(desk, on, hold, register);
    const n = pair ? numberOf(parseFacts(new TextDecoder().decode(pair.value)), 'n') : 0;
    return new Register(desk, on, hold, register, n, pair?.modRevision ?? 0n);
  }

  /**
   * Counts one more. A late copy of the request does nothing: the register is no longer as it was.
   *
   * @throws what `Hold.commit` does
   */
  async write(): Promise<void> {
    const held = told(this.#hold);
    const value = JSON.stringify({ token: held.token, client: this.#desk.name, n: this.#n + 1 });
    const isAsRead = compare.modRevision(this.#key, '=', this.#revision);
    const once = txn({ if: [isAsRead], then: [put(this.#key, value)] });
    const input = { ...held, register: this.#key };
    const commit = async (): Promise<{ isDone: boolean; revision: bigint }> => {
      const { header, responses } = await this.#hold.commit([once]);
      return { isDone: responses[0]?.succeeded ?? false, revision: header.revision };
    };
    const { isDone, revision } = await this.#desk.call('write', this.#on, input, commit, (done) => {
      return { revision: Number(done.revision) };
    });
    if (!isDone) this.#interfered();
    this.#n++;
    this.#revision = revision;
  }

  /** Looks whether it is still the same. @throws what `Hold.commit` does */
  async look(): Promise<void> {
    const pair = await read(this.#desk, this.#on, this.#hold, this.#key);
    if ((pair?.modRevision ?? 0n) !== this.#revision) this.#interfered();
  }

  #interfered(): void {
    this.#desk.note('interference', this.#on, { ...told(this.#hold), register: this.#key });
  }
}

function read(desk: Desk, on: string, hold: Hold, register: string): Promise<KeyValue | undefined> {
  return desk.call('read', on, { ...told(hold), register }, async () => {
    const { responses } = await hold.commit([get(register)]);
    return responses[0]?.kvs[0];
  });
}

/** Some writes, with time in between. @throws what `Hold.commit` does */
export async function count(desk: Desk, on: string, hold: Hold, register: string): Promise<void> {
  let writes = whole(desk, 0, 2);
  if (writes === 0) return desk.pause(desk.random.between(0, 200));
  const counter = await Register.open(desk, on, hold, register);
  for (; writes > 0 && !desk.signal.aborted; writes--) {
    await desk.pause(desk.random.between(0, 400));
    await counter.write();
  }
}

/** Looks twice, with time in between. @throws what `Hold.commit` does */
export async function watchOver(desk: Desk, on: string, hold: Hold, register: string): Promise<void> {
  const counter = await Register.open(desk, on, hold, register);
  await desk.pause(desk.random.between(0, 500));
  await counter.look();
}
