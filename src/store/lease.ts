import {
  AlreadyExistsError,
  ClosedError,
  NotFoundError,
  UnavailableError,
  WaitTimeoutError,
} from '../base/errors.js';
import type { Runtime } from '../base/runtime.js';
import { checkOptions, Wait } from '../base/wait.js';
import type { Caller, CallOptions } from './caller.js';
import { checkInt64 } from './int64.js';
import type { Granted, KeepAlive, KeepAliveListener, KeptLease, Renewal } from './keep-alive.js';
import { Pipe } from './pipe.js';
import type { Header } from './results.js';

export interface GrantOptions {
  /** Whole seconds; the server raises it to its minimum (2 by default) and says so in the answer. */
  readonly ttlSeconds: number;
  /** @default one chosen by this client, so that a repeated request cannot grant two leases */
  readonly id?: bigint;
}

export interface Lease {
  readonly header: Header;
  readonly id: bigint;
  /** As granted. */
  readonly ttlSeconds: number;
  /** `Runtime.now()` when the first copy that may have been granted was written: the lease ends no earlier than this plus its TTL. */
  readonly sentAt: number;
  readonly sentAtWall: number;
}

export interface LeaseStatus {
  readonly header: Header;
  readonly id: bigint;
  /** Remaining seconds; -1 if the lease does not exist. */
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  readonly keys: readonly Uint8Array[];
}

const maxTtlSeconds = 9_000_000_000;
const maxLeaseId = 2n ** 63n - 1n;
const callOptions = ['signal', 'timeoutMs'];

/** Leases: keys attached to one disappear, all in one revision, when it ends. */
export class Leases {
  readonly #caller: Caller;
  readonly #keepAlive: KeepAlive;
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  readonly #streams = new Set<Pipe<Renewal>>();

  constructor(caller: Caller, keepAlive: KeepAlive, runtime: Runtime, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#caller = caller;
    this.#keepAlive = keepAlive;
    this.#runtime = runtime;
  }

  /**
   * Without an id, safe to repeat: one is chosen here that nobody else has, so "exists already" means that an earlier copy
   * of the request was granted.
   *
   * @throws AlreadyExistsError if a lease with the given id existed before
   * @throws OutcomeUnknownError after `timeoutMs` if it was sent; then the lease may exist for one TTL
   * @throws NotFoundError if the lease has run out before its grant was answered
   */
  async grant({ ttlSeconds, id: givenId }: GrantOptions, options: CallOptions = {}): Promise<Lease> {
    checkOptions(options, callOptions, 'lease.grant');
    const id = givenId === undefined ? this.#runtime.id() : checkInt64(givenId, 'a lease id');
    if (!Number.isInteger(ttlSeconds) || ttlSeconds <= 0 || ttlSeconds > maxTtlSeconds) {
      throw new RangeError(`ttlSeconds must be a whole number from 1 to ${maxTtlSeconds}, got ${ttlSeconds}`);
    }
    // For 0n the server would choose one, and another one for the repetition.
    if (id <= 0n || id > maxLeaseId) throw new RangeError(`a lease id is from 1 to 2^63 - 1, got ${id}`);
    const sent = { sentAt: 0, sentAtWall: 0 };
    const onSend = (): void => {
      sent.sentAt = this.#runtime.now();
      sent.sentAtWall = this.#runtime.wallNow();
    };
    const isRepeatable = givenId === undefined;
    try {
      const calling = { ...options, isRepeatable, onSend };
      return { ...(await this.#caller.call('leaseGrant', { id, ttlSeconds }, calling)), ...sent };
    } catch (error) {
      if (!isRepeatable || !(error instanceof AlreadyExistsError)) throw error;
      return { ...(await this.#granted(id, options)), ...sent };
    }
  }

  async #granted(id: bigint, options: CallOptions): Promise<Omit<Lease, 'sentAt' | 'sentAtWall'>> {
    const { header, ttlSeconds, grantedTtlSeconds } = await this.timeToLive(id, options);
    if (ttlSeconds < 0)
      throw new NotFoundError(`lease ${id.toString(16)} ran out before its grant was answered`);
    return { header, id, ttlSeconds: grantedTtlSeconds };
  }

  /**
   * Ends it now. Deletes the lease's keys, all in one revision.
   *
   * @throws NotFoundError if the lease does not exist (any more); OutcomeUnknownError if the answer was lost: asking again does
   * no harm; AuthError if one of its keys may not be deleted
   */
  async revoke(id: bigint, options: CallOptions = {}): Promise<{ readonly header: Header }> {
    checkOptions(options, callOptions, 'lease.revoke');
    return this.#caller.call('leaseRevoke', { id: checkInt64(id, 'a lease id') }, options);
  }

  /**
   * How long a lease has left, and with `keys` what is attached to it. One that does not exist is no error: its `ttlSeconds`
   * is -1.
   *
   * @param options `keys` @default false
   */
  async timeToLive(
    id: bigint,
    options: CallOptions & { readonly keys?: boolean } = {},
  ): Promise<LeaseStatus> {
    checkOptions(options, [...callOptions, 'keys'], 'lease.timeToLive');
    checkInt64(id, 'a lease id');
    return this.#caller.call('leaseTimeToLive', { id, keys: options.keys ?? false }, options);
  }

  /** The ids of all leases of the cluster, in no order. */
  async list(
    options: CallOptions = {},
  ): Promise<{ readonly header: Header; readonly leases: readonly bigint[] }> {
    checkOptions(options, callOptions, 'lease.list');
    return this.#caller.call('leaseList', {}, options);
  }

  /**
   * Renews once.
   *
   * @throws NotFoundError if the lease does not exist (any more); UnavailableError if no renewal is answered in time
   */
  async keepAliveOnce(id: bigint, options: CallOptions = {}): Promise<Renewal> {
    checkOptions(options, callOptions, 'lease.keepAliveOnce');
    checkInt64(id, 'a lease id');
    const { signal, timeoutMs = this.#timeoutMs } = options;
    const what = `keep-alive of lease ${id.toString(16)}`;
    const wait = Wait.start(this.#runtime, { signal, timeoutMs }, what);
    try {
      for await (const renewal of this.keepAlive(id, { signal: wait.signal, ttlSeconds: 3 })) return renewal;
      throw new ClosedError(`${what}: the connection was closed`);
    } catch (error) {
      if (signal?.aborted || !(error instanceof WaitTimeoutError)) throw error;
      throw new UnavailableError(error.message, { cause: error });
    } finally {
      wait.end();
    }
  }

  /**
   * Renews for ever, the first time at once, then every third of the TTL; yields each answered renewal. Ends by throwing
   * the reason: `NotFoundError` when the lease is gone, `ClosedError`, or the signal's reason. `break` stops renewing. While the
   * store is away it goes on asking.
   *
   * @param options `ttlSeconds`: that of the lease, as granted, until the first answer tells it. @default 15
   */
  async *keepAlive(
    id: bigint,
    options: { readonly signal?: AbortSignal | undefined; readonly ttlSeconds?: number } = {},
  ): AsyncGenerator<Renewal, void, undefined> {
    checkOptions(options, ['signal', 'ttlSeconds'], 'lease.keepAlive');
    checkInt64(id, 'a lease id');
    const { signal, ttlSeconds = 15 } = options;
    if (!(ttlSeconds > 0)) throw new RangeError(`ttlSeconds must be above 0, got ${ttlSeconds}`);
    signal?.throwIfAborted();
    const pipe = new Pipe<Renewal>(signal);
    const granted = { ttlMs: ttlSeconds * 1_000, sentAt: this.#runtime.now() };
    const kept = this.keep(id, granted, {
      renewed: (renewal) => pipe.push(renewal),
      gone: () =>
        pipe.fail(new NotFoundError(`lease ${id.toString(16)} does not exist (expired or revoked)`)),
      mayRenew: () => true,
    });
    this.#streams.add(pipe);
    kept.renewNow();
    try {
      yield* pipe;
    } finally {
      kept.stop();
      this.#streams.delete(pipe);
    }
  }

  /** The callback form of `keepAlive`, for code that must know of a loss before anything else runs. */
  keep(id: bigint, granted: Granted, listener: KeepAliveListener): KeptLease {
    return this.#keepAlive.add(id, granted, listener);
  }

  close(): void {
    this.#keepAlive.close();
    for (const pipe of this.#streams) pipe.fail(new ClosedError('keep-alive: the connection was closed'));
  }
}
