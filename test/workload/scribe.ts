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
    const { key, fencingToken, signal } = hold;
    const told = (): void => {
      const { reason } = signal as { reason: unknown };
      const what = reason instanceof HoldLostError ? 'lost' : 'told to stop';
      this.note(what, on, { key, token: Number(fencingToken), reason: codeOf(reason) });
    };
    if (signal.aborted) told();
    else signal.addEventListener('abort', told, { once: true });
    return hold;
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
