import { isConclaveError } from '../../src/index.js';
import type { Actor } from './actor.js';
import type { LineJudge, Report } from './line-judge.js';
import type { Operations } from './operations.js';

interface Resize {
  readonly name: string;
  /** `open`: it may be done, and once. */
  state: 'open' | 'done' | 'not done';
}

/** Resizes of semaphores: each that was acknowledged is done once, none that was refused is, and no copy of one ever again. */
export class Resizes {
  readonly #operations: Operations;
  readonly #judge: LineJudge;
  readonly #report: Report;
  readonly #all: Resize[] = [];

  constructor(operations: Operations, judge: LineJudge, report: Report) {
    this.#operations = operations;
    this.#judge = judge;
    this.#report = report;
  }

  start(actor: Actor, name: string, limit: number): void {
    const resize: Resize = { name, state: 'open' };
    this.#all.push(resize);
    this.#operations.start(
      { doing: 'resize', actor, want: { names: [name] } },
      () => actor.conclave.semaphore(name).resize(limit),
      () => void (resize.state = 'done'),
      (error) => {
        if (isConclaveError(error, 'UNAVAILABLE') || isConclaveError(error, 'SESSION_LOST'))
          resize.state = 'not done';
      },
    );
  }

  /** To be called when nothing is under way any more. @param others how often somebody else has set each limit, at most */
  judge(others: number): void {
    for (const name of new Set(this.#all.map((each) => each.name))) {
      const count = (state: Resize['state']): number =>
        this.#all.filter((each) => each.name === name && each.state === state).length;
      const changes = new Set(this.#judge.history.moments.map(({ lines }) => lines.get(name)?.limitMod));
      changes.delete(undefined);
      const least = count('done');
      const most = least + count('open') + others;
      if (changes.size < least || changes.size > most)
        this.#report(
          `${name} was resized ${changes.size} times, and should have been ${least} to ${most} times`,
        );
    }
  }
}
