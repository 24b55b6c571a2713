import { access } from 'node:fs/promises';
import { ClosedError, UnavailableError, WaitTimeoutError } from '../base/errors.js';
import type { Runtime } from '../base/runtime.js';
import { checkOptions, Wait } from '../base/wait.js';
import type { AdminCaller, MemberOptions } from './admin-caller.js';
import type { SnapshotPiece } from './admin-calls.js';
import type { Endpoints } from './endpoints.js';
import { blamesEndpoint, toConclaveError } from './outcome.js';
import { alreadyExists, PartialFile } from './partial-file.js';
import { SnapshotCheck } from './snapshot-check.js';
import { type AdminTransport, TransportError } from './transport.js';

export interface SnapshotProgress {
  readonly receivedBytes: number;
  /** As far as is known: 32 bytes of checksum are added when the last piece has come. */
  readonly totalBytes: number;
}

export interface SnapshotOptions extends MemberOptions {
  /** Replaces a file of that name, once the new one is complete. @default false */
  readonly overwrite?: boolean | undefined;
  /**
   * Called after each piece that was written; begins anew when a member breaks off and the next one is asked. What it throws
   * ends the snapshot.
   */
  readonly onProgress?: ((progress: SnapshotProgress) => void) | undefined;
  /** Longest time for the whole, milliseconds. @default Infinity: only a member that falls silent for 30 s ends it */
  readonly timeoutMs?: number | undefined;
}

export interface SavedSnapshot {
  /** Of the member it was taken from. */
  readonly endpoint: string;
  /** Of the file. */
  readonly sizeBytes: number;
}

/** A member that sends nothing for so long is given up. */
const silenceMs = 30_000;

interface Parts {
  readonly caller: AdminCaller;
  readonly endpoints: Endpoints;
  readonly runtime: Runtime;
}

const what = 'maintenance.snapshot';

export async function saveSnapshot(
  { caller, endpoints, runtime }: Parts,
  path: string,
  options: SnapshotOptions,
): Promise<SavedSnapshot> {
  const admin = caller.transport(what);
  checkOptions(options, ['signal', 'timeoutMs', 'endpoint', 'overwrite', 'onProgress'], what);
  const { overwrite = false, onProgress = () => {}, signal, timeoutMs } = options;
  if (typeof path !== 'string' || path === '')
    throw new TypeError(`${what}: path must be the name of a file`);
  if (typeof onProgress !== 'function') throw new TypeError(`${what}: onProgress must be a function`);
  if (options.endpoint !== undefined) caller.checkEndpoint(options.endpoint, what);
  const wait = Wait.start(runtime, { signal, timeoutMs }, what);
  const save = async (endpoint: string): Promise<SavedSnapshot> => {
    if (!overwrite && (await exists(path))) throw alreadyExists(path);
    const file = await PartialFile.create(path, runtime.id());
    const source = { admin, endpoint, runtime, signal: wait.signal };
    return { endpoint, sizeBytes: await receive(source, file, overwrite, onProgress) };
  };
  try {
    // A member that breaks off is followed by the next one, unless the caller has chosen it.
    const attempts = options.endpoint === undefined ? endpoints.all.length : 1;
    for (let attempt = 1; ; attempt++) {
      const endpoint = options.endpoint ?? endpoints.pick();
      try {
        return await save(endpoint);
      } catch (error) {
        wait.signal.throwIfAborted();
        if (!(error instanceof TransportError)) throw error;
        if (blamesEndpoint(error)) endpoints.failed(endpoint);
        if (attempt === attempts || !blamesEndpoint(error)) throw explained(error, endpoint);
      }
    }
  } catch (error) {
    if (signal?.aborted || !(error instanceof WaitTimeoutError)) throw error;
    throw new UnavailableError(error.message, { cause: error });
  } finally {
    wait.end();
  }
}

function explained(error: TransportError, endpoint: string): Error {
  if (error.status === 'cancelled')
    return new ClosedError(`${what}: the connection was closed`, { cause: error });
  return toConclaveError(error, `${what} from ${endpoint}`, false);
}

interface Source {
  readonly admin: AdminTransport;
  readonly endpoint: string;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

/** @returns the size of the file */
async function receive(
  source: Source,
  file: PartialFile,
  mayOverwrite: boolean,
  onProgress: (progress: SnapshotProgress) => void,
): Promise<number> {
  const check = new SnapshotCheck();
  try {
    for await (const { bytes, remainingBytes } of pieces(source)) {
      await file.write(bytes);
      check.update(bytes);
      onProgress({ receivedBytes: check.size, totalBytes: check.size + Number(remainingBytes) });
    }
    const complaint = check.complaint();
    if (complaint !== undefined)
      throw new UnavailableError(`${what} from ${source.endpoint}: ${complaint}; nothing was saved`);
    await file.finish(mayOverwrite);
    return check.size;
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** Ends with an error, too, when nothing comes for a while. */
async function* pieces({
  admin,
  endpoint,
  runtime,
  signal,
}: Source): AsyncGenerator<SnapshotPiece, void, undefined> {
  const silence = new AbortController();
  const stream = admin.snapshot(endpoint, AbortSignal.any([signal, silence.signal]));
  try {
    while (true) {
      const timer = runtime.setTimer(silenceMs, () => silence.abort());
      const next = await stream.next().finally(() => timer.cancel());
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    if (!silence.signal.aborted || signal.aborted) throw error;
    throw new TransportError('unavailable', `nothing came for ${silenceMs} ms`, { cause: error });
  } finally {
    await stream.return(); // ends it, if it was left early
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
