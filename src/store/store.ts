import type { Bytes } from '../base/bytes.js';
import { checkOptions, checkTimeout } from '../base/wait.js';
import type { Runtime } from '../base/runtime.js';
import { AdminCaller } from './admin-caller.js';
import { Auth } from './auth.js';
import { Caller, type CallOptions } from './caller.js';
import { Cluster } from './cluster.js';
import { Endpoints } from './endpoints.js';
import { checkInt64 } from './int64.js';
import { KeepAlive } from './keep-alive.js';
import { Leases } from './lease.js';
import { Maintenance } from './maintenance.js';
import {
  checkOp,
  get,
  type GetOptions,
  type Op,
  put,
  type PutOptions,
  type RangeLike,
  remove,
  type RemoveOptions,
  revisionOption,
  toRange,
  txn,
  type TxnParts,
} from './operations.js';
import type { Answer, GetResult, Header, PutResult, RemoveResult, ResultOf, TxnResult } from './results.js';
import type { Transport } from './transport.js';
import type { Watch, WatchListener } from './watch.js';
import { WatchHub } from './watch-hub.js';
import { watching, type WatchNotice, type WatchOptions } from './watching.js';

export interface StoreOptions {
  readonly runtime: Runtime;
  /** Default limit of a call with all its attempts, milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /**
   * A stream of watches that is quiet for so long is asked for a sign of life, and replaced if it gives none within twice
   * as long, milliseconds. @default 1000
   */
  readonly watchHeartbeatMs?: number;
}

const call = ['signal', 'timeoutMs'];
const restrictions = ['minModRevision', 'maxModRevision', 'minCreateRevision', 'maxCreateRevision'];
const known = {
  call: call,
  put: [...call, 'lease', 'prevKv', 'ignoreValue', 'ignoreLease'],
  get: [...call, 'limit', 'revision', 'sort', 'serializable', 'keysOnly', 'countOnly', ...restrictions],
  remove: [...call, 'prevKv'],
  // What `txn()` has returned will do as well.
  parts: ['if', 'then', 'else', 'kind'],
  compact: [...call, 'physical'],
};

/**
 * A connection to etcd, or to the embedded engine: key-value operations, transactions, leases, watches.
 *
 * Every mutation ends done, not done (`UnavailableError`, or an error that says what was refused), or unknown
 * (`OutcomeUnknownError`: it may be applied at any later time). Reads are repeated on another endpoint until answered.
 *
 * @throws (every method) TypeError or RangeError for bad arguments, before any I/O; ClosedError after close
 */
export class Store {
  readonly lease: Leases;
  /** The members, on an etcd. */
  readonly cluster: Cluster;
  /** Users and roles, on an etcd. */
  readonly auth: Auth;
  /** Status, alarms, snapshots, on an etcd. */
  readonly maintenance: Maintenance;
  /** The default limit of a call, milliseconds. */
  readonly timeoutMs: number;
  /** @internal */
  readonly runtime: Runtime;
  readonly #caller: Caller;
  readonly #hub: WatchHub;
  readonly #transport: Transport;
  readonly #endpoints: Endpoints;

  constructor(transport: Transport, { runtime, timeoutMs = 5_000, watchHeartbeatMs = 1_000 }: StoreOptions) {
    this.#transport = transport;
    this.runtime = runtime;
    this.#endpoints = new Endpoints(runtime, transport.endpoints);
    this.timeoutMs = checkTimeout(timeoutMs);
    this.#caller = new Caller(transport, runtime, this.#endpoints, timeoutMs);
    this.#hub = new WatchHub(transport, runtime, this.#endpoints, watchHeartbeatMs);
    this.lease = new Leases(
      this.#caller,
      new KeepAlive(transport, runtime, this.#endpoints),
      runtime,
      timeoutMs,
    );
    const admin = new AdminCaller(this.#caller, this.#endpoints, transport.admin);
    this.cluster = new Cluster(admin, this.#endpoints);
    this.auth = new Auth(admin);
    this.maintenance = new Maintenance(admin, this.#endpoints, runtime, timeoutMs);
  }

  get endpoints(): readonly string[] {
    return this.#endpoints.all;
  }

  /** The one that calls go to at the moment. */
  get endpoint(): string {
    return this.#endpoints.pick();
  }

  /**
   * Writes a value, and so makes a revision: that of the header.
   *
   * @throws NotFoundError if the lease does not exist (any more), or with `ignoreValue`, `ignoreLease` the key: nothing was done;
   * OutcomeUnknownError if it was sent and not answered, or the store is over its quota; UnavailableError, AuthError: not done
   */
  async put(key: Bytes, value: Bytes, options: PutOptions & CallOptions = {}): Promise<Answer<PutResult>> {
    checkOptions(options, known.put, 'store.put');
    return this.#caller.call('put', put(key, value, options), options);
  }

  /**
   * Reads a key, or a range. An absent key is an empty list, not an error. Asked of other members until one answers.
   *
   * @throws CompactedError if `revision` is gone; FutureRevisionError if the member has not seen it yet; UnavailableError;
   * AuthError
   */
  async get(target: RangeLike, options: GetOptions & CallOptions = {}): Promise<Answer<GetResult>> {
    checkOptions(options, known.get, 'store.get');
    return this.#caller.call('get', get(target, options), options);
  }

  /** Deletes a key, or all of a range, at one revision. That nothing was there is no error. @throws as `put` */
  async remove(target: RangeLike, options: RemoveOptions & CallOptions = {}): Promise<Answer<RemoveResult>> {
    checkOptions(options, known.remove, 'store.remove');
    return this.#caller.call('remove', remove(target, options), options);
  }

  /**
   * If all compares hold runs `then`, else `else`; atomically, at one revision. The results follow the operations' types.
   *
   * @throws InvalidRequestError for too many operations (128 at each level, unless the server is set otherwise), or one key put
   * twice: nothing was done. Otherwise as `put`; one that only reads, as `get`
   */
  async txn<const Then extends readonly Op[] = [], const Else extends readonly Op[] = []>(
    parts: TxnParts<Then, Else>,
    options: CallOptions = {},
  ): Promise<Answer<TxnResult<Then, Else>>> {
    checkOptions(parts, known.parts, 'store.txn');
    checkOptions(options, known.call, 'store.txn');
    // The wire does not know the types of the branches; the server answers operation by operation.
    return (await this.#caller.call('txn', txn(parts), options)) as Answer<TxnResult<Then, Else>>;
  }

  /** Runs one operation value. */
  async do<O extends Op>(op: O, options: CallOptions = {}): Promise<Answer<ResultOf<O>>> {
    checkOp(op);
    checkOptions(options, known.call, 'store.do');
    return (await this.#dispatch(op, options)) as Answer<ResultOf<O>>;
  }

  /**
   * Forgets what was overwritten or deleted before `revision`; reads and watches of it fail from then on.
   *
   * @param options `physical`: answer only when the space is free for new data as well. @default false
   * @throws CompactedError if that was done already; FutureRevisionError
   */
  async compact(
    revision: bigint,
    options: CallOptions & { readonly physical?: boolean } = {},
  ): Promise<{ readonly header: Header }> {
    checkOptions(options, known.compact, 'store.compact');
    checkInt64(revision, 'revision');
    return this.#caller.call('compact', { revision, physical: options.physical ?? false }, options);
  }

  /**
   * Changes as they happen: every matching event once, in order, in whole revisions, over reconnects.
   * A reader that is slow makes it stop reading and resume, not buffer for ever.
   * Throws `CompactedError` if events it should deliver are no longer there, `AuthError`, or the signal's reason.
   */
  watch(target: RangeLike, options: WatchOptions = {}): AsyncGenerator<WatchNotice, void, undefined> {
    return watching(this.#hub, target, options);
  }

  /** The callback form of `watch`, for code that must see an event before anything else runs. */
  listen(
    target: RangeLike,
    options: Omit<WatchOptions, 'signal' | 'progress'>,
    listener: WatchListener,
  ): Watch {
    const { prevKv = false, exclude = [] } = options;
    const startRevision = revisionOption(options.startRevision, 'startRevision');
    return this.#hub.open({ range: toRange(target), startRevision, prevKv, exclude }, listener);
  }

  /** Ends watches and keep-alives with `ClosedError`; calls under way end as the network leaves them. Idempotent. */
  async close(): Promise<void> {
    this.#caller.close();
    this.#hub.close();
    this.lease.close();
    await this.#transport.close();
  }

  #dispatch(
    op: Op,
    options?: CallOptions,
  ): Promise<Answer<GetResult | PutResult | RemoveResult | TxnResult>> {
    switch (op.kind) {
      case 'get':
        return this.#caller.call('get', op, options);
      case 'put':
        return this.#caller.call('put', op, options);
      case 'remove':
        return this.#caller.call('remove', op, options);
      case 'txn':
        return this.#caller.call('txn', op, options);
    }
  }
}
