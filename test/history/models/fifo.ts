import type { Model } from '../wgl.js';

export type QueueCall =
  /** Every id at most once. */
  | { readonly kind: 'enqueue'; readonly id: string }
  | { readonly kind: 'dequeue'; readonly id: string }
  /** What it took is not known: with an unknown outcome only. */
  | { readonly kind: 'take' }
  /** There was nothing to take. */
  | { readonly kind: 'empty' };

/** First in, first out: to compare `queue-patterns` with, which is fast. */
export const fifoModel: Model<readonly string[], QueueCall> = {
  name: 'FIFO queue',
  initial: [],
  step(items, call) {
    switch (call.kind) {
      case 'enqueue':
        return [...items, call.id];
      case 'dequeue':
        return items[0] === call.id ? items.slice(1) : undefined;
      case 'take':
        return items.length > 0 ? items.slice(1) : undefined;
      case 'empty':
        return items.length === 0 ? items : undefined;
      default:
        return call satisfies never;
    }
  },
  keyOf: (items) => items.join(' '),
  describe: (call) => ('id' in call ? `${call.kind} ${call.id}` : call.kind),
};
