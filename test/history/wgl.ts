import type { Violation } from './record.js';

/** What a history is compared with: one thing that does its calls one after the other. */
export interface Model<State, Call> {
  readonly name: string;
  readonly initial: State;
  /** The state after a call that has gone as it says; undefined if it cannot go so in this state. */
  step(state: State, call: Call): State | undefined;
  /** The same text for equal states, and for no others. */
  keyOf(state: State): string;
  /** For reports. */
  describe(call: Call): string;
}

/** A call, and when it was under way: it takes effect at one moment in between, both ends included. */
export interface Timed<Call> {
  readonly call: Call;
  readonly client: string;
  readonly from: number;
  /** Infinity: the outcome is unknown. It takes effect at some moment after `from`, or never. */
  readonly to: number;
}

export type Verdict =
  | { readonly kind: 'linearizable'; readonly steps: number }
  | { readonly kind: 'illegal'; readonly steps: number; readonly report: string }
  /** Neither shown to be legal nor to be illegal. */
  | { readonly kind: 'gave up'; readonly steps: number };

export interface SearchOptions {
  /** @default 5 million: some seconds */
  readonly maxSteps?: number;
}

/**
 * Is there an order of these calls, each at a moment of its own time, in which the model does them all with these results?
 *
 * The algorithm of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's cache ("Testing for
 * linearizability", 2017), as in porcupine: a depth-first search that takes a call out of the list of all beginnings and
 * ends ("lift"), comes to the next end, and goes back ("unlift") when no call may be next. What was tried is remembered as
 * (calls taken, state).
 *
 * - What is remembered of such a pair is one number (Zobrist hashing) rather than a set of n bits, so a long history need
 *   not be cut into pieces to be held in memory. Two pairs of one number could only make a legal history look illegal, so
 *   whatever looks illegal is searched once more with other numbers.
 * - Calls that meet at one moment may have come in either order. Where many do, as when virtual time stands still, the search
 *   grows by leaps: whoever writes a history gives each entry a time of its own.
 * - Calls of unknown outcome are tried last, or each of them would first be taken to have happened at once.
 */
export function linearize<State, Call>(
  model: Model<State, Call>,
  calls: readonly Timed<Call>[],
  { maxSteps = 5_000_000 }: SearchOptions = {},
): Verdict {
  const first = new Search(model, calls, 0).run(maxSteps);
  return first.kind === 'illegal' ? new Search(model, calls, 1).run(maxSteps) : first;
}

/** The same for a judge: having given up is a complaint, too. */
export function judgeByModel<State, Call>(
  model: Model<State, Call>,
  calls: readonly Timed<Call>[],
  options?: SearchOptions,
): Violation[] {
  const verdict = linearize(model, calls, options);
  if (verdict.kind === 'linearizable') return [];
  const what = verdict.kind === 'illegal' ? verdict.report : `gave up after ${verdict.steps} steps`;
  return [{ rule: `linearizable ${model.name}`, what }];
}

/** A call that was taken, and what is needed to go back. */
interface Frame<State> {
  readonly node: number;
  readonly before: State;
}

/** Nodes of the two lists: the beginnings and ends of known calls in order of time, and the unknown calls behind them. */
class Search<State, Call> {
  readonly #model: Model<State, Call>;
  /** Known calls by their begin, then unknown ones by theirs. */
  readonly #calls: readonly Timed<Call>[];
  readonly #known: number;
  /** For each node its call: `~call` if it is the end of it. */
  readonly #callOf: Int32Array;
  readonly #endOf: Int32Array;
  readonly #next: Int32Array;
  readonly #before: Int32Array;
  readonly #unknownHead: number;
  readonly #nowhere: number;
  readonly #salt: number;
  readonly #states = new Map<string, number>();
  readonly #seen = new Set<number>();
  /** Of the calls that are taken. */
  #high = 0;
  #low = 0;
  #most = -1;
  #stuck: { readonly state: State; readonly waiting: readonly number[] } | undefined;

  constructor(model: Model<State, Call>, calls: readonly Timed<Call>[], salt: number) {
    const byBegin = [...calls].sort((a, b) => a.from - b.from);
    const known = byBegin.filter(({ to }) => to !== Infinity);
    this.#model = model;
    this.#salt = salt;
    this.#known = known.length;
    this.#calls = [...known, ...byBegin.filter(({ to }) => to === Infinity)];
    // 0 is the head of the known, then come their begins and ends, the head of the unknown, and those.
    this.#unknownHead = 2 * known.length + 1;
    this.#nowhere = this.#unknownHead + 1 + (calls.length - known.length);
    this.#callOf = new Int32Array(this.#nowhere + 1);
    this.#endOf = new Int32Array(this.#nowhere + 1);
    this.#next = Int32Array.from({ length: this.#nowhere + 1 }, (_, node) => node + 1);
    this.#before = Int32Array.from({ length: this.#nowhere + 1 }, (_, node) => node - 1);
    this.#layOut();
  }

  #layOut(): void {
    const ends = Array.from({ length: this.#known }, (_, call) => call);
    ends.sort((a, b) => this.#at(a).to - this.#at(b).to);
    const begins = new Int32Array(this.#known);
    let node = 1;
    let begun = 0;
    for (const call of ends) {
      // What begins when another ends may have come before it.
      for (; begun < this.#known && this.#at(begun).from <= this.#at(call).to; begun++) {
        this.#callOf[node] = begun;
        begins[begun] = node++;
      }
      this.#callOf[node] = ~call;
      this.#endOf[begins[call] ?? 0] = node++;
    }
    for (let call = this.#known; call < this.#calls.length; call++) this.#callOf[++node] = call;
  }

  run(maxSteps: number): Verdict {
    const model = this.#model;
    const callOf = this.#callOf;
    const next = this.#next;
    const frames: Frame<State>[] = [];
    let state = model.initial;
    let left = this.#known;
    let node = this.#first(0);
    // Unknown calls may come next if they began before this: the first end of a known call that is not taken. Going back over an
    // unknown call leaves it as it is; over a known one, that end comes next.
    let bound = Infinity;
    let steps = 0;
    while (left > 0) {
      const call = callOf[node] ?? 0;
      const isOver = node === this.#nowhere || (node > this.#unknownHead && this.#at(call).from > bound);
      if (!isOver && call < 0) {
        bound = this.#at(~call).to;
        node = this.#first(this.#unknownHead);
      } else if (!isOver) {
        if (++steps > maxSteps) return { kind: 'gave up', steps };
        const after = model.step(state, this.#at(call).call);
        if (after === undefined || !this.#isNew(call, after)) {
          node = next[node] ?? 0;
          continue;
        }
        frames.push({ node, before: state });
        state = after;
        this.#toggle(call);
        this.#lift(node);
        if (call < this.#known) left--;
        node = this.#first(0);
      } else {
        if (frames.length > this.#most) this.#remember(frames.length, state);
        const frame = frames.pop();
        if (!frame) return { kind: 'illegal', steps, report: this.#report() };
        state = frame.before;
        this.#toggle(callOf[frame.node] ?? 0);
        this.#unlift(frame.node);
        if ((callOf[frame.node] ?? 0) < this.#known) left++;
        node = next[frame.node] ?? 0;
      }
    }
    return { kind: 'linearizable', steps };
  }

  #at(call: number): Timed<Call> {
    return this.#calls[call]!;
  }

  #first(head: number): number {
    return this.#next[head] ?? 0;
  }

  #lift(node: number): void {
    this.#take(node);
    const end = this.#endOf[node] ?? 0;
    if (end > 0) this.#take(end);
  }

  /** In the opposite order, or a begin that stood beside its end would come back at the wrong place. */
  #unlift(node: number): void {
    const end = this.#endOf[node] ?? 0;
    if (end > 0) this.#putBack(end);
    this.#putBack(node);
  }

  #take(node: number): void {
    const [before, after] = [this.#before[node] ?? 0, this.#next[node] ?? 0];
    this.#next[before] = after;
    this.#before[after] = before;
  }

  #putBack(node: number): void {
    this.#next[this.#before[node] ?? 0] = node;
    this.#before[this.#next[node] ?? 0] = node;
  }

  #toggle(call: number): void {
    this.#high ^= scatter(2 * call, this.#salt);
    this.#low ^= scatter(2 * call + 1, this.#salt);
  }

  /** With this call taken, and in this state, for the first time? */
  #isNew(call: number, state: State): boolean {
    const key = this.#model.keyOf(state);
    let id = this.#states.get(key);
    if (id === undefined) this.#states.set(key, (id = this.#states.size));
    const high = this.#high ^ scatter(2 * call, this.#salt) ^ scatter(2 * id, this.#salt + 2);
    const low = this.#low ^ scatter(2 * call + 1, this.#salt) ^ scatter(2 * id + 1, this.#salt + 2);
    const { size } = this.#seen;
    // 53 bits: what a number holds.
    this.#seen.add((high >>> 11) * 2 ** 32 + (low >>> 0));
    return this.#seen.size > size;
  }

  /** No call may be next: how far it has come, for the report. */
  #remember(taken: number, state: State): void {
    this.#most = taken;
    const waiting: number[] = [];
    let node = this.#first(0);
    for (; (this.#callOf[node] ?? 0) >= 0; node = this.#next[node] ?? 0)
      waiting.push(this.#callOf[node] ?? 0);
    this.#stuck = { state, waiting };
  }

  #report(): string {
    const { state, waiting } = this.#stuck ?? { state: this.#model.initial, waiting: [] };
    const lines = waiting.map((call) => {
      const { call: what, client, from, to } = this.#at(call);
      return `  ${client}: ${this.#model.describe(what)}, from ${from} to ${to}`;
    });
    return [
      `at most ${this.#most} of ${this.#calls.length} calls fit; then the state is ${this.#model.keyOf(state)}, and none of these can be next:`,
      ...lines,
    ].join('\n');
  }
}

/** Bits that have nothing to do with those of another index (the finalizer of MurmurHash3). */
function scatter(index: number, salt: number): number {
  let bits = (Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(salt + 1, 0x85ebca77)) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
