import { TransportError, type TransportStatus } from '../store/transport.js';
import type { Rpc } from './grpc.js';
import { asTransportError } from './rpc-error.js';

/**
 * One request or stream under way. It ends once: by the server, by its caller, or with its connection. What comes after
 * that is ignored, so none of the three needs to know of the others.
 */
export class Call {
  readonly #failed: (error: TransportError) => void;
  readonly #cleanups: (() => void)[] = [];
  #rpc: Rpc | undefined;
  #over = false;

  constructor(failed: (error: TransportError) => void) {
    this.#failed = failed;
  }

  get over(): boolean {
    return this.#over;
  }

  /**
   * Opens the RPC; from here on the request may have left.
   * @throws TransportError if the call ended while its connection was prepared.
   */
  start<R extends Rpc>(open: () => R): R {
    if (this.#over) throw new TransportError('cancelled', 'ended before it was sent', { neverSent: true });
    const rpc = open();
    this.#rpc = rpc;
    return rpc;
  }

  /** Runs once the call is over, also if it is already. */
  whenOver(cleanup: () => void): void {
    if (this.#over) cleanup();
    else this.#cleanups.push(cleanup);
  }

  /** The end without an error. False if there was an end before. */
  finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    for (const cleanup of this.#cleanups) cleanup();
    return true;
  }

  /** The end by an error, reported unless there was an end before. */
  fail(error: unknown): void {
    if (!this.finish()) return;
    this.#rpc?.cancel();
    this.#failed(asTransportError(error));
  }

  /** The end from this side, reported as an error. */
  abort(status: TransportStatus, detail: string, cause?: unknown): void {
    this.fail(new TransportError(status, detail, { neverSent: !this.#rpc, cause }));
  }

  /** The end from this side, with nothing to report. */
  cancel(): void {
    if (this.finish()) this.#rpc?.cancel();
  }
}

/** The calls of a transport by endpoint, so that they can be ended together. */
export class Calls {
  readonly #underWay = new Map<string, Set<Call>>();

  begin(endpoint: string, failed: (error: TransportError) => void): Call {
    const calls = this.#underWay.get(endpoint) ?? new Set<Call>();
    this.#underWay.set(endpoint, calls);
    const call = new Call(failed);
    calls.add(call);
    call.whenOver(() => calls.delete(call));
    return call;
  }

  /** Runs `work` as a call: settles as `work` does, or rejects before it with what ends the call. */
  run<T>(endpoint: string, work: (call: Call) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = this.begin(endpoint, reject);
      work(call).then(
        (result) => {
          if (call.finish()) resolve(result);
        },
        (error: unknown) => call.fail(error),
      );
    });
  }

  abort(endpoint: string, status: TransportStatus, detail: string): void {
    for (const call of [...(this.#underWay.get(endpoint) ?? [])]) call.abort(status, detail);
  }
}
