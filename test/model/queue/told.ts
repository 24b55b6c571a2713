import type { Answered } from './calls.js';
import type { Becoming } from './becoming.js';
import type { QueueModel } from './model.js';
import type { JobWish } from './steps.js';

/** One that was confirmed. */
interface Confirmed {
  readonly tag: string;
  readonly lane: string;
  readonly index: number;
  readonly isAlone: boolean;
  readonly call: Answered;
}

export interface Put {
  readonly tag: string;
  readonly wish: JobWish;
  readonly index: number;
  /** The only one of its call. */
  readonly isAlone: boolean;
}

/** What callers were told, to be held against the history when that is complete. */
export class Told {
  readonly #model: QueueModel;
  readonly #report: (violation: string) => void;
  readonly #checks: (() => void)[] = [];
  readonly #confirmed: Confirmed[] = [];
  readonly #attempted = new Set<string>();

  constructor(model: QueueModel, report: (violation: string) => void) {
    this.#model = model;
    this.#report = report;
  }

  /** To be called before anything is sent. */
  attempts(tag: string): void {
    this.#attempted.add(tag);
  }

  /** When nothing goes on any more. */
  judge(): void {
    for (const check of this.#checks) check();
    for (const { tag, id } of this.#model.lives)
      if (!this.#attempted.has(tag)) this.#report(`nobody has put ${id} (${tag})`);
    this.#judgeOrder();
  }

  enqueued({ tag, wish, index, isAlone }: Put, id: string, created: boolean, call: Answered): void {
    const { priority, group = '', runInMs } = wish;
    this.#later(
      call,
      `${tag} was confirmed as ${id}, ${created ? 'new' : 'known'}`,
      ({ lives, chronicle }) => {
        const life = lives.find((each) => each.tag === tag);
        if (created) return life?.id === id && life.putAt > call.from && life.putAt <= call.to;
        return !life && chronicle.atAll(`known ${id}`, call.from, call.to);
      },
    );
    if (created && runInMs === undefined)
      this.#confirmed.push({ tag, lane: `${group}/${priority}`, index, isAlone, call });
  }

  /** Told that nothing was put. */
  notEnqueued(tag: string, call: Answered): void {
    this.#later(call, `${tag} was refused`, ({ lives }) => lives.every((life) => life.tag !== tag));
  }

  delivered(
    delivery: { readonly id: string; readonly attempt: number; readonly fencingToken: bigint },
    tag: string,
    call: Answered,
  ): void {
    const { id, attempt, fencingToken } = delivery;
    this.#later(call, `${id} (${tag}) was delivered by ${fencingToken}, attempt ${attempt}`, (model) => {
      const claim = model.claim(id, fencingToken);
      const life = model.lives.findLast((each) => each.id === id && each.putAt < fencingToken);
      return claim?.attempt === attempt && fencingToken <= call.to && life?.tag === tag;
    });
  }

  settled(id: string, token: bigint, as: readonly Becoming[], call: Answered): void {
    this.#later(call, `${id} by ${token}: ${call.doing} was confirmed`, (model) => {
      const { end = 'nothing', to = 0n } = model.claim(id, token) ?? {};
      return as.includes(end) && to > call.from && to <= call.to;
    });
  }

  /** Told that it had been lost before. */
  notSettled(id: string, token: bigint, call: Answered): void {
    this.#later(call, `${id} by ${token}: ${call.doing} was refused`, (model) => {
      return model.claim(id, token)?.end === 'lost';
    });
  }

  /** Somebody who does not wait was told that there is nothing. */
  empty(call: Answered): void {
    const { from, to } = call;
    this.#later(call, 'nothing was there', ({ chronicle }) => {
      if (!chronicle.throughout('not paused', from, to)) return true;
      return !chronicle.all('ready ').some((ready) => chronicle.throughout(ready, from, to));
    });
  }

  /** ... or that too many run. */
  busy(call: Answered): void {
    this.#never('a permit is free', call);
  }

  cancelled(id: string, was: 'waiting' | 'running' | undefined, call: Answered): void {
    if (was === undefined) this.#never(`alive ${id}`, call);
    else if (was === 'waiting') this.#happened(`cancelled waiting ${id}`, call);
    else
      this.#later(call, `${id} was marked as cancelled`, ({ chronicle }) =>
        chronicle.happened(`asked ${id}`, -1n, call.to),
      );
  }

  retriedDead(id: string, isDone: boolean, call: Answered): void {
    if (isDone) this.#happened(`retried ${id}`, call);
    else this.#never(`dead ${id}`, call);
  }

  droppedDead(id: string, isDone: boolean, call: Answered): void {
    if (isDone) this.#happened(`dropped ${id}`, call);
    else this.#never(`dead ${id}`, call);
  }

  paused(isPaused: boolean, call: Answered): void {
    const what = isPaused ? 'paused' : 'not paused';
    this.#later(call, what, ({ chronicle }) => chronicle.atAll(what, call.from, call.to));
  }

  ended(id: string, state: Becoming, call: Answered): void {
    this.#later(call, `${id} has ended: ${state}`, ({ lives }) =>
      lives.some((life) => life.id === id && life.ended === state && life.putAt < call.to),
    );
  }

  unknown(id: string, call: Answered): void {
    this.#never(`known ${id}`, call);
  }

  /** It was not so all the time. */
  #never(what: string, call: Answered): void {
    this.#later(call, `not: ${what}`, ({ chronicle }) => !chronicle.throughout(what, call.from, call.to));
  }

  #happened(what: string, call: Answered): void {
    this.#later(call, what, ({ chronicle }) => chronicle.happened(what, call.from, call.to));
  }

  #later(
    { actor, from, to }: Answered,
    what: string,
    isSo: (model: QueueModel) => boolean | undefined,
  ): void {
    this.#checks.push(() => {
      if (!isSo(this.#model))
        this.#report(`${actor.name} was told, from ${from} to ${to}: ${what}; and it is not so`);
    });
  }

  /** Of two that were put one after the other, the first was taken first. */
  #judgeOrder(): void {
    // Those that are put again have the same tag: the first time counts.
    const lives = new Map(this.#model.lives.toReversed().map((life) => [life.tag, life]));
    for (const first of this.#confirmed) {
      for (const second of this.#confirmed) {
        if (first.lane !== second.lane || !isBefore(first, second)) continue;
        const { takenAt: earlier, endedAt = 0n } = lives.get(first.tag) ?? {};
        const { takenAt: later } = lives.get(second.tag) ?? {};
        if (later !== undefined && (earlier ?? endedAt) > later)
          this.#report(`${second.tag} was taken before ${first.tag}, at ${later}`);
      }
    }
  }
}

/** What one program puts keeps its order, too. */
function isBefore(a: Confirmed, b: Confirmed): boolean {
  if (a.call.endTick < b.call.tick) return true;
  if (a.call.tick === b.call.tick) return a.index < b.index;
  return a.call.actor === b.call.actor && a.isAlone && b.isAlone && a.call.tick < b.call.tick;
}
