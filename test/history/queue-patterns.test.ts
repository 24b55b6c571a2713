import { expect, it } from 'vitest';
import { Random } from '../../src/testing/random.js';
import { fifoModel, type QueueCall } from './models/fifo.js';
import { queuePatterns } from './queue-patterns.js';
import { linearize, type Timed } from './wgl.js';

/** Some calls whose times overlap, and whose results are right more often than not. */
function smallHistory(random: Random): Timed<QueueCall>[] {
  const below = (end: number): number => random.uint32() % end;
  const queue: string[] = [];
  const unknown = below(3) === 0 ? 0.3 : 0;
  return Array.from({ length: 4 + below(6) }, (_, i) => {
    // Takes effect at i, or so, as others do.
    const from = i - below(3);
    const isUnknown = random.next() < unknown;
    const time = { client: `c${i}`, from, to: isUnknown ? Infinity : Math.max(i + below(3), from) };
    if (below(2) === 0) {
      if (!isUnknown || below(2) === 0) queue.push(`${i}`);
      return { ...time, call: { kind: 'enqueue', id: `${i}` } };
    }
    const isWrong = below(4) === 0;
    if (isWrong && !isUnknown && below(2) === 0)
      return {
        ...time,
        call: below(2) === 0 ? { kind: 'empty' } : { kind: 'dequeue', id: `${below(i + 1)}` },
      };
    const [id] = isWrong ? queue.splice(below(queue.length + 1), 1) : queue.splice(0, 1);
    if (isUnknown) return { ...time, call: { kind: 'take' } };
    return { ...time, call: id === undefined ? { kind: 'empty' } : { kind: 'dequeue', id } };
  });
}

it('the patterns find what the search over the model finds, in 10,000 small histories', () => {
  const random = new Random(4);
  let illegal = 0;
  let withUnknown = 0;
  for (let i = 0; i < 10_000; i++) {
    const calls = smallHistory(random);
    const bySearch = linearize(fifoModel, calls).kind;
    const byPatterns = queuePatterns(calls).length === 0 ? 'linearizable' : 'illegal';
    if (byPatterns !== bySearch) expect({ calls, verdict: byPatterns }).toEqual({ calls, verdict: bySearch });
    if (bySearch === 'illegal') illegal++;
    if (calls.some(({ to }) => to === Infinity)) withUnknown++;
  }
  console.info(`${illegal} of 10,000 were illegal, ${withUnknown} had calls of unknown outcome`);
  expect(illegal).toBeGreaterThan(1_000);
  expect(10_000 - illegal).toBeGreaterThan(1_000);
  expect(withUnknown).toBeGreaterThan(1_000);
});

/** One producer, one worker who is a little behind, `count` items. */
function longHistory(count: number): Timed<QueueCall>[] {
  return Array.from({ length: count }, (_, i): Timed<QueueCall>[] => [
    { client: 'producer', from: i, to: i + 6, call: { kind: 'enqueue', id: `${i}` } },
    { client: 'worker', from: i + 1, to: i + 8, call: { kind: 'dequeue', id: `${i}` } },
  ]).flat();
}

it('finds two items that were swapped among 10,000', () => {
  const calls = longHistory(10_000);
  expect(queuePatterns(calls)).toEqual([]);

  const swapped = calls.map((each): Timed<QueueCall> => {
    if (each.call.kind !== 'dequeue') return each;
    const id = { '5000': '5020', '5020': '5000' }[each.call.id] ?? each.call.id;
    return { ...each, call: { kind: 'dequeue', id } };
  });

  const rules = queuePatterns(swapped).map(({ rule }) => rule);
  expect(new Set(rules)).toEqual(new Set(['FIFO: order inversion', 'FIFO: phantom']));
});

it.each<[string, ...Timed<QueueCall>[]]>([
  ['phantom', { client: 'c', from: 5, to: 6, call: { kind: 'dequeue', id: 'x' } }],
  ['duplicate', { client: 'c', from: 50, to: 51, call: { kind: 'dequeue', id: '3' } }],
  ['order inversion', { client: 'c', from: -9, to: -8, call: { kind: 'enqueue', id: 'x' } }],
  [
    'false empty',
    { client: 'p', from: 30, to: 31, call: { kind: 'enqueue', id: 'x' } },
    { client: 'c', from: 32, to: 33, call: { kind: 'empty' } },
  ],
])('finds a pattern: %s', (pattern, ...calls) => {
  const rules = queuePatterns([...longHistory(10), ...calls]).map(({ rule }) => rule);
  expect(new Set(rules)).toEqual(new Set([`FIFO: ${pattern}`]));
});

it('a take of unknown outcome explains one item that is gone, and not two', () => {
  const enqueue = (id: string, at: number): Timed<QueueCall> => {
    return { client: 'p', from: at, to: at + 0.5, call: { kind: 'enqueue', id } };
  };
  const take: Timed<QueueCall> = { client: 'w', from: 5, to: Infinity, call: { kind: 'take' } };
  const third: Timed<QueueCall> = { client: 'w', from: 6, to: 7, call: { kind: 'dequeue', id: 'c' } };
  const empty: Timed<QueueCall> = { client: 'w', from: 6, to: 7, call: { kind: 'empty' } };

  expect(queuePatterns([enqueue('b', 2), enqueue('c', 3), take, third])).toEqual([]);
  expect(queuePatterns([enqueue('b', 2), take, empty])).toEqual([]);
  expect(queuePatterns([enqueue('a', 1), enqueue('b', 2), enqueue('c', 3), take, third])).toHaveLength(1);
  expect(queuePatterns([enqueue('a', 1), enqueue('b', 2), take, empty])).toHaveLength(1);
});
