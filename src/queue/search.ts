import { toText } from '../base/bytes.js';
import { compare, type GetOp, get, prefix, put } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import type { GetResult, KeyValue } from '../store/results.js';
import type { Store } from '../store/store.js';
import { hex16, idIn, type Lane, revisionIn } from './lane.js';
import { type Lanes, priorities } from './layout.js';
import { type JobRecord, recordIn } from './job.js';

/** A job as it waits in a lane. */
export interface WaitingJob {
  readonly id: string;
  readonly lane: Lane;
  readonly key: string;
  readonly modRevision: bigint;
  readonly record: JobRecord;
}

/** The first jobs of the lanes, all at one revision. */
export interface Found {
  readonly revision: bigint;
  /** In the order in which they are to be taken. */
  readonly jobs: readonly WaitingJob[];
  /** Answers to what else was read. */
  readonly others: readonly GetResult[];
}

/** What is known of a lane: where to begin, and how far one step has to go. */
interface Reach {
  readonly lane: Lane;
  floor: bigint;
  floorModRevision: bigint;
  /** Where the first job was found, or up to where there was none. */
  head: bigint;
  /** How far to search beyond that, in revisions. */
  span: bigint;
}

const firstSpan = 64n;
/** How far the floor may lie behind before it is moved. */
const slack = 64n;

/**
 * Finds the first jobs of a queue, or of a group, at a cost that does not grow with how many wait.
 *
 * The server walks over a whole range even if a limit cuts the answer, and over what was deleted there and is not yet
 * compacted. So a search begins at the lane's floor and goes on in bounded steps, which are made so wide that the first
 * one usually holds about twice of what is wanted; the floor is moved up behind what has been taken.
 */
export class Search {
  readonly #store: Store;
  readonly #lanes: Lanes;
  readonly #reaches = new Map<number, Reach>();

  constructor(store: Store, lanes: Lanes) {
    this.#store = store;
    this.#lanes = lanes;
  }

  /**
   * One round trip as a rule. Linearizable: whatever had been put before this call is found, unless it was taken.
   *
   * @param also read in the same transaction
   * @throws CompactedError if it took so long that the store has forgotten: ask again
   */
  async first(limit: number, signal: AbortSignal, also: readonly GetOp[] = []): Promise<Found> {
    const known = this.#known().map((reach) => ({ reach, ...firstStep(reach) }));
    const steps = known.map(({ reach: { lane }, from, width }) => lane.read(from, from + width, limit));
    const reads = [get(prefix(this.#lanes.floors)), ...also, ...steps];
    const { revision, results } = await readTogether(this.#store, reads, { signal });
    const [floors, ...rest] = results;
    this.#learn(floors?.kvs ?? []);
    const jobs: WaitingJob[] = [];
    for (const reach of this.#known()) {
      const wanted = limit - jobs.length;
      if (wanted === 0) break;
      const begun = known.findIndex((each) => each.reach === reach);
      const { from, width } = known[begun] ?? firstStep(reach);
      const first = begun < 0 ? undefined : rest[also.length + begun];
      jobs.push(...(await this.#searchLane({ reach, from, width, first, revision, wanted }, signal)));
    }
    return { revision, jobs, others: rest.slice(0, also.length) };
  }

  /**
   * Moves the floors up behind what has been taken, if they lie far behind. Never rejects: it is tried again later.
   *
   * Done late, by a copy of the request, it does no harm: it compares the floor it replaces, and that the lane is empty
   * below the new one, which no job can come to stand under any more.
   */
  async moveFloors(): Promise<void> {
    for (const { lane, floor, floorModRevision, head } of this.#known()) {
      if (head - floor < slack) continue;
      await this.#store
        .txn({
          if: [compare.modRevision(lane.floorKey, '=', floorModRevision), lane.isEmpty(floor, head)],
          then: [put(lane.floorKey, hex16(head - 1n))],
        })
        .catch(() => {});
    }
  }

  /** Nothing stands before this job in its lane. */
  isFirst({ lane, key }: WaitingJob): ReturnType<Lane['isEmpty']> {
    const reach = this.#known().find((each) => each.lane.prefix === lane.prefix);
    return lane.isEmpty(reach?.floor ?? 0n, key);
  }

  /** The most urgent first. */
  #known(): readonly Reach[] {
    return priorities.flatMap((priority) => this.#reaches.get(priority) ?? []);
  }

  #learn(floors: readonly KeyValue[]): void {
    for (const { key, value, modRevision } of floors) {
      const priority = Number(toText(key).slice(this.#lanes.floors.length));
      const floor = BigInt(`0x${toText(value)}`);
      const known = this.#reaches.get(priority);
      if (!known) {
        const lane = this.#lanes.lane(priority);
        this.#reaches.set(priority, {
          lane,
          floor,
          floorModRevision: modRevision,
          span: firstSpan,
          head: floor,
        });
      } else if (modRevision > known.floorModRevision) {
        known.floor = floor;
        known.floorModRevision = modRevision;
      }
    }
  }

  async #searchLane(
    { reach, from, width, first, revision, wanted }: LaneSearch,
    signal: AbortSignal,
  ): Promise<readonly WaitingJob[]> {
    const { lane } = reach;
    const jobs: WaitingJob[] = [];
    let walked = 0;
    let end = from;
    let known = first;
    let step = width;
    // Beyond the first step: how far the floor lies behind says nothing about how far to go.
    let next = 4n * reach.span;
    while (jobs.length < wanted && end <= revision) {
      // Every key begins with a revision that somebody had read before: beyond this one there is nothing.
      const rest = { ...lane.read(end, end + step, wanted - jobs.length), revision };
      const result: GetResult = known ?? (await this.#read(rest, signal));
      jobs.push(...result.kvs.slice(0, wanted - jobs.length).map((kv) => waitingJob(lane, kv)));
      walked += result.count;
      end += step;
      [step, next] = [next, 4n * next];
      known = undefined;
    }
    const [head] = jobs;
    reach.head = head ? revisionIn(lane, head.key) : revision;
    reach.span = fitting(end - reach.head, walked, wanted);
    return jobs;
  }

  async #read(op: GetOp, signal: AbortSignal): Promise<GetResult> {
    const { results } = await readTogether(this.#store, [op], { signal });
    return results[0];
  }
}

interface LaneSearch {
  readonly reach: Reach;
  readonly from: bigint;
  readonly width: bigint;
  /** What the first step has found, if it was made already. */
  readonly first: GetResult | undefined;
  readonly revision: bigint;
  readonly wanted: number;
}

/** Nobody may have come between the floor and the head; but that is for the search to say. */
function firstStep({ floor, head, span }: Reach): { readonly from: bigint; readonly width: bigint } {
  return { from: floor, width: (head > floor ? head - floor : 0n) + span };
}

/** A width that holds about twice of what is wanted, going by what was walked over. */
function fitting(searched: bigint, walked: number, wanted: number): bigint {
  if (walked < wanted) return searched > firstSpan ? searched : firstSpan; // there are no more
  if (walked <= 2 * wanted) return searched;
  const span = (searched * BigInt(2 * wanted)) / BigInt(walked);
  return span > 1n ? span : 1n;
}

function waitingJob(lane: Lane, kv: KeyValue): WaitingJob {
  const key = toText(kv.key);
  return { id: idIn(key), lane, key, modRevision: kv.modRevision, record: recordIn(kv) };
}
