import { toText } from '../base/bytes.js';
import { isConclaveError, OutcomeUnknownError, ResourceExhaustedError } from '../base/errors.js';
import { atOnce } from '../session/at-once.js';
import { onceInAnySession, type OnceResult } from '../session/once.js';
import { compare, type Compare, get, type GetOp, type Op, prefix, type TxnOp } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import { freshRecord, type JobBody } from './job.js';
import { idIn } from './lane.js';
import { aboveFloors, floorReads, landingPlace, lanesOfAll, putJobUnlessKnown } from './landing.js';
import type { Move } from './moves.js';
import type { QueueParts } from './settle.js';

/** A job on its way into the queue. */
export interface Draft {
  readonly id: string;
  readonly body: Omit<JobBody, 'place'>;
  /** Wall clock, milliseconds since 1970; undefined: at once. */
  readonly runAt: number | undefined;
  /** Of its value. */
  readonly bytes: number;
}

export interface Enqueued {
  readonly id: string;
  /** False if there was a job of this id already, or had been not long ago: then nothing was put. */
  readonly created: boolean;
}

interface Unit {
  readonly drafts: readonly Draft[];
  readonly resolve: (enqueued: readonly Enqueued[]) => void;
  readonly reject: (error: unknown) => void;
}

/** As many as one transaction can carry: the server takes 128 operations, and requests of 1.5 MB. */
export const jobsPerTransaction = 40;
const bytesPerTransaction = 1_000_000;

/**
 * Puts jobs, all that are asked for at a time in one transaction, one after the other: what one program enqueues keeps its
 * order. Two round trips: a read of the present revision, which becomes part of the keys, and the transaction.
 *
 * Done once, whatever becomes of an answer: settled by a receipt, under the next session if need be.
 */
export class Enqueuer {
  readonly #parts: QueueParts;
  readonly #maxSize: number;
  #units: Unit[] = [];
  #isBusy = false;

  constructor(parts: QueueParts, maxSize: number) {
    this.#parts = parts;
    this.#maxSize = maxSize;
  }

  /** All or none. @param drafts no more than one transaction can carry, and no two of one id */
  put(drafts: readonly Draft[]): Promise<readonly Enqueued[]> {
    return new Promise((resolve, reject) => {
      this.#units.push({ drafts, resolve, reject });
      if (!this.#isBusy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#isBusy = true;
    await Promise.resolve(); // for whatever else is enqueued right now
    while (this.#units.length > 0) {
      const units = this.#nextUnits();
      try {
        await this.#putAll(units);
      } catch (error) {
        for (const unit of units) unit.reject(error);
      }
    }
    this.#isBusy = false;
  }

  /** As many as one transaction can carry, one at least; no two jobs of one id. */
  #nextUnits(): readonly Unit[] {
    const ids = new Set<string>();
    let bytes = 0;
    let end = 0;
    for (const { drafts } of this.#units) {
      bytes += drafts.reduce((sum, draft) => sum + draft.bytes, 0);
      const isTooMuch = ids.size + drafts.length > jobsPerTransaction || bytes > bytesPerTransaction;
      if (end > 0 && (isTooMuch || drafts.some(({ id }) => ids.has(id)))) break;
      for (const { id } of drafts) ids.add(id);
      end++;
    }
    return this.#units.splice(0, end);
  }

  async #putAll(units: readonly Unit[]): Promise<void> {
    const { connection, layout } = this.#parts;
    await atOnce(connection, `${layout.title}: enqueue`, async ({ signal }) => {
      let open = units;
      while (open.length > 0) {
        const present = await this.#look(open, signal);
        open = this.#refuseTooMany(open, present);
        if (open.length === 0) return;
        const drafts = open.flatMap((unit) => unit.drafts);
        const { ops, conditions } = this.#compose(drafts, present);
        const result = await onceInAnySession(connection, { if: conditions, then: ops }, signal);
        // Refused: a floor has moved, or somebody has filled a bounded queue. Look again.
        if (!result.isDone) continue;
        const created = await this.#created(drafts, result, ops.length - drafts.length);
        this.#tell(open, created);
        return;
      }
    });
  }

  /** The present revision, the floors of the lanes, and how many jobs there are if that is limited. */
  async #look(units: readonly Unit[], signal: AbortSignal): Promise<Present> {
    const { connection, layout } = this.#parts;
    const bodies = units.flatMap(({ drafts }) => drafts.map(({ body }) => body));
    const lanes = lanesOfAll(layout, bodies);
    const isBounded = this.#maxSize !== Infinity;
    const reads: GetOp[] = [...floorReads(lanes)];
    if (isBounded) {
      const named = units.flatMap(({ drafts }) => drafts).filter(({ body }) => body.isNamed);
      reads.push(get(prefix(layout.jobs), { countOnly: true }));
      reads.push(...named.map(({ id }) => get(layout.job(id), { keysOnly: true })));
    }
    const { revision, results } = await readTogether(connection.store, reads, { signal });
    const [jobs, ...named] = results.slice(lanes.length);
    const there = new Set(named.flatMap(({ kvs }) => kvs.map(({ key }) => idIn(toText(key)))));
    return { revision, floors: aboveFloors(lanes, results, revision), size: jobs?.count ?? 0, there };
  }

  #refuseTooMany(units: readonly Unit[], { size, there }: Present): readonly Unit[] {
    let free = this.#maxSize - size;
    return units.filter(({ drafts, reject }) => {
      const more = drafts.filter(({ id }) => !there.has(id)).length;
      if (more <= free) {
        free -= more;
        return true;
      }
      const { title } = this.#parts.layout;
      reject(
        new ResourceExhaustedError(
          `${title} is full: ${size} jobs wait or run, ${more} more would be beyond its limit of ${this.#maxSize}; nothing was put`,
        ),
      );
      return false;
    });
  }

  #compose(
    drafts: readonly Draft[],
    { revision, floors }: Present,
  ): { readonly ops: readonly Op[]; readonly conditions: readonly Compare[] } {
    const { layout } = this.#parts;
    // Then nobody has put one since it was counted.
    const isStillSo =
      this.#maxSize === Infinity ? [] : [compare.createRevision(prefix(layout.jobs), '<', revision + 1n)];
    return {
      ops: [...floors.then, ...drafts.map((draft, i) => this.#putting(draft, revision, i))],
      conditions: [...floors.if, ...isStillSo],
    };
  }

  #putting(draft: Draft, revision: bigint, index: number): TxnOp {
    const { layout, connection } = this.#parts;
    const { id, runAt } = draft;
    const isEarly = runAt !== undefined && runAt > connection.runtime.wallNow();
    const place = isEarly ? layout.delayedAt(runAt, id) : landingPlace(layout, draft, revision, index);
    return putJobUnlessKnown(layout, draft, place, freshRecord);
  }

  /** Which of them were put. If the answer is lost, the store tells: what it put at that revision, it put then. */
  async #created(
    drafts: readonly Draft[],
    { revision, responses }: OnceResult,
    before: number,
  ): Promise<readonly boolean[]> {
    const { connection, layout } = this.#parts;
    if (responses) {
      return drafts.map((_, i) => {
        const response = responses[before + i];
        return response?.kind === 'txn' && response.succeeded;
      });
    }
    if (!drafts.some(({ body }) => body.isNamed)) return drafts.map(() => true);
    const reads = drafts.map(({ id }) => get(layout.job(id), { keysOnly: true, revision }));
    const { results } = await readTogether(connection.store, reads).catch((error: unknown) => {
      // Whatever it is: it must not say that nothing was put.
      const why = isConclaveError(error, 'COMPACTED') ? 'is forgotten' : `cannot be read: ${String(error)}`;
      const text = `${layout.title}: enqueue: these jobs are there, or were; whether this call has put them ${why}`;
      throw new OutcomeUnknownError(text, { cause: error });
    });
    return results.map(({ kvs }) => kvs[0]?.createRevision === revision);
  }

  #tell(units: readonly Unit[], created: readonly boolean[]): void {
    let next = 0;
    for (const { drafts, resolve } of units) {
      resolve(drafts.map(({ id }) => ({ id, created: created[next++] ?? false })));
    }
  }
}

interface Present {
  readonly revision: bigint;
  readonly floors: Move;
  /** How many jobs there are, if that is limited. */
  readonly size: number;
  /** Those of the drafts that are there already, by their ids. */
  readonly there: ReadonlySet<string>;
}
