import { checkOptions } from '../base/wait.js';
import type { RangeLike } from './operations.js';
import { revisionOption, toRange } from './operations.js';
import { Pipe } from './pipe.js';
import type { StoreEvent } from './results.js';
import type { Watch } from './watch.js';
import type { WatchHub } from './watch-hub.js';

export interface WatchOptions {
  /** First revision to deliver, for example the revision of a `get` plus one; 0n means from now. @default 0n */
  readonly startRevision?: bigint;
  /** Give each event the pair as it was before. @default false */
  readonly prevKv?: boolean;
  /** Leave out events of these types. @default [] */
  readonly exclude?: readonly ('put' | 'delete')[];
  /** Yield signs of life too, at least each second while nothing happens. @default false */
  readonly progress?: boolean;
  /** Ends the watch with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export type WatchNotice =
  /** Everything after `revision` (or from `startRevision` on) follows. */
  | { readonly kind: 'created'; readonly revision: bigint }
  /** All matching events of one revision. */
  | { readonly kind: 'events'; readonly revision: bigint; readonly events: readonly StoreEvent[] }
  /** A sign of life, if asked for: the store has come that far. Before etcd 3.4.25 it may overtake events. */
  | { readonly kind: 'progress'; readonly revision: bigint };

/** A reader this many notices behind makes the watch stop reading; it goes on from there once the reader has caught up. */
const backlogLimit = 1_000;

/**
 * The iterable form of a watch. Nothing is sent before the first `next()`; `break` cancels; an abort throws the signal's
 * reason; anything else that ends it is thrown too.
 */
export async function* watching(
  hub: WatchHub,
  target: RangeLike,
  options: WatchOptions,
): AsyncGenerator<WatchNotice, void, undefined> {
  checkOptions(options, ['startRevision', 'prevKv', 'exclude', 'progress', 'signal'], 'store.watch');
  const { startRevision, prevKv = false, exclude = [], progress = false, signal } = options;
  signal?.throwIfAborted();
  const range = toRange(target);
  const pipe = new Pipe<WatchNotice>(signal);
  const state = { announced: false, paused: false };

  const open = (from: bigint): Watch => {
    const push = (notice: WatchNotice): void => {
      pipe.push(notice);
      if (pipe.backlog < backlogLimit) return;
      state.paused = true;
      watch.cancel();
    };
    const watch = hub.open(
      { range, startRevision: from, prevKv, exclude },
      {
        created(revision) {
          if (!state.announced) pipe.push({ kind: 'created', revision });
          state.announced = true;
        },
        events: (revision, events) => push({ kind: 'events', revision, events }),
        progress(revision) {
          if (progress) push({ kind: 'progress', revision });
        },
        ended: (error) => pipe.fail(error),
      },
    );
    return watch;
  };

  let watch = open(revisionOption(startRevision, 'startRevision'));
  try {
    for await (const notice of pipe) {
      yield notice;
      if (!state.paused || pipe.backlog > 0) continue;
      state.paused = false;
      watch = open(watch.nextRevision);
    }
  } finally {
    watch.cancel();
  }
}
