import { isConclaveError, UnavailableError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import { Wait } from '../base/wait.js';
import type { KeyValue, StoreEvent } from '../store/results.js';
import { retry } from '../store/retry.js';
import type { Connection } from './connection.js';
import type { Line, LineState } from './line.js';

/** How often to look whether the watch has told everything: some versions of etcd lose events (3.4.23 at compactions). */
const lookMs = 15_000;

/** The watch has not told of something that a read has shown long ago: it is opened anew where it stands. */
const behind = new Error('the watch is behind');
/** What the watch has told cannot be: the line is read anew. */
const wrong = new Error('the watch has lost something');

/** What to think of a watch that has told of `told`, if everything up to `seen` should have been told. */
export type Doubt = 'right' | 'behind' | 'wrong';

/** For messages, and how doubts are judged. */
export interface HistoryOptions {
  readonly signal: AbortSignal | undefined;
  /** `behind` may be an error: the watch may just be connecting again. `wrong` may not. @default every key counts */
  readonly compareWith?: (seen: LineState, told: LineState) => Doubt;
  /** Called with what a look beside the watch has shown, and with when that was asked for, by the runtime's clock. */
  readonly onLook?: (seen: LineState, askedAt: number) => void;
}

/**
 * A line as it is, and after each later revision that has changed it: never backwards, none twice. After a compaction, or
 * if the store itself has lost events, some may be left out; none is invented.
 *
 * One read and one watch, nothing per change. The watch begins right after what was read. Not by the view that those who
 * wait share: that leaps ahead whenever an answer shows more than the watch has told, which is all that a waiter needs,
 * and what was between would be overlooked.
 *
 * Goes on while the store is away. A slow reader makes the watch stop reading.
 *
 * @throws the signal's reason; ClosedError; AuthError if a permission was withdrawn
 */
export async function* lineHistory(
  connection: Connection,
  line: Line,
  { signal, compareWith = compareAll, onLook = () => {} }: HistoryOptions,
): AsyncGenerator<LineState, void, undefined> {
  const wait = Wait.start(connection.runtime, { signal }, `${line.title}: observe`);
  wait.endsWith(connection.closing);
  let state: LineState | undefined;
  let notBefore = 0n;
  try {
    while (true) {
      wait.signal.throwIfAborted();
      state ??= await readLine(connection, line, notBefore, wait.signal);
      try {
        for await (state of follow(connection, line, state, { signal: wait.signal, compareWith, onLook }))
          yield state;
      } catch (error) {
        if (error === behind) continue;
        if (error !== wrong && !isConclaveError(error, 'COMPACTED')) throw error;
        notBefore = max(state.revision, isConclaveError(error, 'COMPACTED') ? error.compactRevision : 0n);
        state = undefined;
      }
    }
  } finally {
    wait.end();
  }
}

/** As it is now, and not before `notBefore`; waits while the store is away. */
export async function readLine(
  { store, runtime }: Connection,
  line: Line,
  notBefore: bigint,
  signal: AbortSignal,
): Promise<LineState> {
  const readOnce = async (): Promise<LineState> => {
    const { header, kvs } = await store.get(line.range, { signal });
    // Some versions of etcd can give an old answer to a linearizable read (3.4.20 to 3.4.41).
    if (header.revision < notBefore) throw new UnavailableError('the store answered from its past');
    return line.stateOf(header.revision, kvs);
  };
  return retry(runtime, readOnce, {
    signal,
    again: (error) => !signal.aborted && isConclaveError(error, 'UNAVAILABLE'),
  });
}

interface Following {
  readonly signal: AbortSignal;
  readonly compareWith: (seen: LineState, told: LineState) => Doubt;
  readonly onLook: (seen: LineState, askedAt: number) => void;
}

/** `base`, and the line after each later revision that has changed it. */
async function* follow(
  connection: Connection,
  line: Line,
  base: LineState,
  { signal, compareWith, onLook }: Following,
): AsyncGenerator<LineState, void, undefined> {
  const over = new AbortController();
  const onAbort = (): void => over.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const told = { state: base, isAll: false, compareWith, onLook };
  const options = { startRevision: base.revision + 1n, signal: over.signal };
  try {
    yield base;
    void lookAfter(connection, line, told, over);
    told.isAll = true;
    for await (const notice of connection.store.watch(line.range, options)) {
      if (notice.kind !== 'events') continue;
      told.state = after(line, told.state, notice);
      told.isAll = false;
      yield told.state;
      told.isAll = true;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    over.abort();
  }
}

/** What a watch has told so far; `isAll` while the reader waits for more. */
interface Told extends Pick<Following, 'compareWith' | 'onLook'> {
  state: LineState;
  isAll: boolean;
}

/**
 * Ends a watch that has lost something, or seems to: that has not told, from one look to the next, of a change which the
 * first of them has seen. Never rejects.
 */
async function lookAfter(
  connection: Connection,
  line: Line,
  told: Told,
  over: AbortController,
): Promise<void> {
  const { runtime, store } = connection;
  const { compareWith, onLook } = told;
  /** As the look before has shown it. */
  let before: LineState | undefined;
  try {
    while (true) {
      await sleep(runtime, lookMs, { background: true, signal: over.signal });
      // A store that does not answer proves nothing, nor does a reader that is busy.
      const askedAt = runtime.now();
      const answer = await store.get(line.range, { signal: over.signal }).catch(() => undefined);
      const now = answer && line.stateOf(answer.header.revision, answer.kvs);
      if (now) onLook(now, askedAt);
      const { state, isAll } = told;
      const doubt = before && isAll ? compareWith(before, state) : 'right';
      if (doubt !== 'right') over.abort(doubt === 'behind' ? behind : wrong);
      before = isAll ? now : undefined;
    }
  } catch {
    // It is over.
  }
}

/** What it has told since is not looked into: the next look will. */
function compareAll(seen: LineState, told: LineState): Doubt {
  if (told.revision > seen.revision || isSame(told, seen)) return 'right';
  return told.revision < seen.revision ? 'behind' : 'wrong';
}

function isSame(one: LineState, other: LineState): boolean {
  const [mine, others] = [one, other].map(({ tickets, settings }) => [...tickets, ...settings]);
  if (mine?.length !== others?.length) return false;
  const revisions = new Map(others?.map(({ key, modRevision }) => [text(key), modRevision]));
  return mine?.every(({ key, modRevision }) => revisions.get(text(key)) === modRevision) ?? false;
}

/** A line after the events of one revision. */
function after(
  line: Line,
  { tickets, settings }: LineState,
  { revision, events }: { readonly revision: bigint; readonly events: readonly StoreEvent[] },
): LineState {
  const kvs = new Map<string, KeyValue>([...tickets, ...settings].map((kv) => [text(kv.key), kv]));
  for (const { type, kv } of events) {
    if (type === 'delete') kvs.delete(text(kv.key));
    else kvs.set(text(kv.key), kv);
  }
  return line.stateOf(revision, [...kvs.values()]);
}

function text(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
