import { isConclaveError, type Hold, HoldLostError } from '../../src/index.js';
import type { Entry, Facts, Return } from '../history/record.js';
import type { Desk } from './workload.js';

/** Where what a client says goes, and whose clock it is told by. */
export interface Paper {
  readonly now: () => number;
  readonly write: (entry: Entry) => void;
}

/** The part of a desk that writes down. */
export class Scribe implements Pick<Desk, 'name' | 'call' | 'note' | 'claim'> {
  readonly name: string;
  readonly #paper: Paper;
  /** Of one ticket there may be several holds, one after the other or at a time. */
  readonly #lost = new Set<string>();
  #calls = 0;

  constructor(name: string, paper: Paper) {
    this.name = name;
    this.#paper = paper;
  }

  async call<T>(
    call: string,
    on: string,
    input: Facts,
    work: () => Promise<T>,
    output: (result: T) => Facts = () => ({}),
  ): Promise<T> {
    const id = `${this.name}:${++this.#calls}`;
    const { now, write } = this.#paper;
    write({ kind: 'invoke', at: now(), client: this.name, id, call, on, input });
    try {
      const result = await work();
      write({ kind: 'return', at: now(), id, outcome: 'ok', output: output(result) });
      return result;
    } catch (error) {
      write({ kind: 'return', at: now(), id, outcome: outcomeOf(error), output: {}, error: codeOf(error) });
      throw error;
    }
  }

  note(what: string, on: string, facts: Facts = {}): void {
    this.#paper.write({ kind: 'note', at: this.#paper.now(), client: this.name, what, on, facts });
  }

  claim<H extends Hold>(on: string, hold: H): H {
    const { signal } = hold;
    const tell = (): void => this.#tellLoss(on, hold, signal.reason);
    if (signal.aborted) tell();
    else signal.addEventListener('abort', tell, { once: true });
    return hold;
  }

  /** What it was exchanged for may be what is lost. */
  #tellLoss(on: string, hold: Hold, reason: unknown): void {
    const isLost = reason instanceof HoldLostError;
    const { key, fencingToken } = isLost ? reason : hold;
    if (isLost && this.#lost.has(key)) return;
    this.#lost.add(key);
    const facts = { key, token: Number(fencingToken), reason: codeOf(reason) };
    this.note(isLost ? 'lost' : 'told to stop', on, facts);
  }
}

/** After these the call may have taken effect, or do so at any later time. */
const unknown: ReadonlySet<string> = new Set(['OUTCOME_UNKNOWN', 'SESSION_LOST', 'CLOSED']);

/** What an error says of the call that it ended. */
function outcomeOf(error: unknown): Return['outcome'] {
  if (!isConclaveError(error)) return 'unknown';
  return unknown.has(error.code) ? 'unknown' : 'no';
}

function codeOf(error: unknown): string {
  if (isConclaveError(error)) return error.code;
  return error instanceof Error ? error.name : String(error);
}
