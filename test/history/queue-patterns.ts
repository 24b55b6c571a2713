import type { QueueCall } from './models/fifo.js';
import type { Violation } from './record.js';
import type { Timed } from './wgl.js';

/** When an item was put in, and when it was taken out. Infinity where that is not known, or not so. */
interface Item {
  readonly id: string;
  readonly put: Time;
  readonly taken: Time;
}

interface Time {
  readonly from: number;
  readonly to: number;
}

const never: Time = { from: Infinity, to: Infinity };

/**
 * Is this the history of a FIFO queue? With distinct items it is linearizable unless it shows one of four patterns (Henzinger,
 * Sezgin, Vafeiadis, "Aspect-oriented linearizability proofs", CONCUR 2013), so no search is needed: O(n log n).
 *
 * - phantom: taken, and put later or never.
 * - duplicate: taken twice.
 * - order inversion: put before another one, and taken after it, or never.
 * - false empty: at each moment of a call that found nothing something was there.
 *
 * Of unknown outcome may be:
 * - `enqueue`: it was put if it was taken, at any time from then on; if nobody took it, it is as well never to have been put.
 * - `take`: it took some item that nobody is known to have taken, at any time from then on, or nothing. The oldest such items are
 *   those that must be gone first, and by the soonest; so the first `take` took the first of them, and so on. If that does
 *   not explain the history nothing does (an exchange argument: of two items the one that was put earlier always has to be gone at
 *   the same time or earlier).
 *
 * The tests compare it with the search over the model on many small histories.
 */
export function queuePatterns(calls: readonly Timed<QueueCall>[]): Violation[] {
  const { items, violations } = itemsOf(calls);
  return [
    ...violations,
    ...inversions(items),
    ...falseEmpties(
      items,
      calls.filter(({ call, to }) => call.kind === 'empty' && to < Infinity),
    ),
  ];
}

function itemsOf(calls: readonly Timed<QueueCall>[]): { items: Item[]; violations: Violation[] } {
  const put = new Map<string, Time>();
  const taken = new Map<string, Time>();
  const takes: number[] = [];
  const violations: Violation[] = [];
  for (const { call, from, to } of calls) {
    if (call.kind === 'enqueue') put.set(call.id, { from, to });
    else if (call.kind === 'take') takes.push(from);
    else if (call.kind === 'dequeue') {
      if (taken.has(call.id)) violations.push(violation('duplicate', `${call.id} was taken twice`));
      taken.set(call.id, { from, to });
    }
  }
  for (const [id, { from, to }] of taken) {
    if ((put.get(id)?.from ?? Infinity) > to)
      violations.push(violation('phantom', `${id} was taken, but not put`));
    if (!put.has(id)) put.set(id, { from, to });
  }
  const all = [...put].map(([id, time]) => ({ id, put: time, taken: taken.get(id) ?? never }));
  const items = all.filter((item) => item.taken !== never);
  const left = all.filter((item) => item.taken === never && item.put.to < Infinity);
  left.sort((a, b) => a.put.to - b.put.to);
  takes.sort((a, b) => a - b);
  left.forEach((item, i) => {
    const from = takes[i];
    items.push(from === undefined ? item : { ...item, taken: { from, to: Infinity } });
  });
  return { items, violations };
}

/**
 * One was put before another that somebody took before it. By a sweep over the puts: of all that had been put by then, the one
 * that was taken last is the one to compare with. Those that nobody took are taken at Infinity, so others that were not cannot
 * be before them.
 */
function inversions(items: readonly Item[]): Violation[] {
  const ranked = items.map((item) => ({ item, ...item.put }));
  const byBegin = [...ranked].sort((a, b) => a.from - b.from);
  const byEnd = [...ranked].sort((a, b) => a.to - b.to);
  let ended = 0;
  let last: Item | undefined;
  return byBegin.flatMap(({ item, from }) => {
    for (let each = byEnd[ended]; each && each.to < from; each = byEnd[++ended])
      if (!last || each.item.taken.from > last.taken.from) last = each.item;
    if (!last || item.taken.to >= last.taken.from) return [];
    const what = `${last.id} was put before ${item.id}, and ${item.id} was taken first`;
    return [violation('order inversion', what)];
  });
}

/** An item is surely there between the end of its put and the beginning of its taking. */
function falseEmpties(items: readonly Item[], empties: readonly Timed<QueueCall>[]): Violation[] {
  const spans = items
    .map(({ put, taken }) => ({ from: put.to, to: taken.from }))
    .filter(({ from, to }) => from < to)
    .sort((a, b) => a.from - b.from);
  /** Times at which something was there, ends not included: no two of them overlap. */
  const full: { from: number; to: number }[] = [];
  for (const span of spans) {
    const last = full.at(-1);
    if (last && span.from < last.to) last.to = Math.max(last.to, span.to);
    else full.push({ ...span });
  }
  return empties.flatMap(({ client, from, to }) => {
    const time = lastBefore(full, from);
    if (!time || time.to <= to) return [];
    return [violation('false empty', `${client} found nothing from ${from} to ${to}`)];
  });
}

/** The last that begins before this. */
function lastBefore(times: readonly Time[], begin: number): Time | undefined {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle]?.from ?? Infinity) < begin) low = middle + 1;
    else high = middle;
  }
  return times[low - 1];
}

function violation(pattern: string, what: string): Violation {
  return { rule: `FIFO: ${pattern}`, what };
}
