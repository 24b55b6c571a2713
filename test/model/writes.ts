import { FencedOutError, type Hold, isConclaveError, put } from '../../src/index.js';
import type { Claim } from './claims.js';
import { encodeWrite, writtenKey } from './history.js';
import type { LineJudge, Report } from './line-judge.js';
import type { Operation, Operations } from './operations.js';

/** A hold, and what its program does under it. */
export interface Held extends Claim {
  readonly hold: Hold;
  /** As it was when granted: a program need not ask again. */
  readonly guard: ReturnType<Hold['guard']>;
}

/** Writes under holds, also under those that have been lost. That they were allowed is judged by the history. */
export class Writes {
  readonly #operations: Operations;
  readonly #judge: LineJudge;
  readonly #report: Report;
  #latest = 0;
  readonly #done = new Set<number>();
  readonly #refused = new Set<number>();

  constructor(operations: Operations, judge: LineJudge, report: Report) {
    this.#operations = operations;
    this.#judge = judge;
    this.#report = report;
  }

  /** @param way as the library wants it, or as a program that only keeps its guard */
  start(
    { actor, want, hold, keys, guard }: Held,
    under: Pick<Operation, 'actor' | 'want' | 'isGivenBack'>,
    way: 'commit' | 'guard',
  ): void {
    const id = ++this.#latest;
    const value = encodeWrite({ id, token: hold.fencingToken, keys });
    const ops = want.names.map((name) => put(writtenKey(name), value));
    const write = async (): Promise<void> => {
      const { succeeded } = await (way === 'commit'
        ? hold.commit(ops)
        : actor.conclave.store.txn({ if: guard, then: ops }));
      if (!succeeded) throw new FencedOutError('the guard refused', hold);
    };
    const failed = (error: unknown): void => {
      if (isConclaveError(error, 'FENCED_OUT') || isConclaveError(error, 'HOLD_LOST')) this.#refused.add(id);
    };
    this.#operations.start({ ...under, doing: 'write' }, write, () => this.#done.add(id), failed);
  }

  /** What was acknowledged is there, and what was refused is not. To be called when nothing is under way any more. */
  judge(): void {
    for (const id of this.#done)
      if (!this.#judge.wasApplied(id)) this.#report(`write ${id} was acknowledged and not applied`);
    for (const id of this.#refused)
      if (this.#judge.wasApplied(id)) this.#report(`write ${id} was refused and applied`);
  }
}
