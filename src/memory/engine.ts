import type { Runtime } from '../base/runtime.js';
import type { GetOp, PutOp, RemoveOp, TxnOp } from '../store/operations.js';
import type { Answer, GetResult, Header, PutResult, RemoveResult, TxnResult } from '../store/results.js';
import type {
  Calls,
  KeepAliveCommand,
  KeepAliveMessage,
  Method,
  StreamListener,
  WatchCommand,
  WatchMessage,
} from '../store/transport.js';
import { KeepAliveStream } from './keep-alive-stream.js';
import { Lessor } from './lessor.js';
import { Mvcc, type Write } from './mvcc.js';
import { read } from './reading.js';
import { refusal } from './refusal.js';
import { checkRequest } from './request-check.js';
import { type ServerStream, StreamSet } from './stream-set.js';
import { WatchHub } from './watch-hub.js';
import { WatchStream } from './watch-stream.js';
import { checkLease, checkPlan, checkPresent, planTxn, runPlan, runPut, runRemove } from './writing.js';

type Handlers = { readonly [M in Method]: (request: Calls[M]['request']) => Calls[M]['response'] };

export interface EngineOptions {
  readonly runtime: Runtime;
  /** Told of each new revision, whatever has made it. */
  readonly onRevision?: (revision: bigint) => void;
}

/** The release whose answers the engine gives; the differential test compares it with that. */
const version = '3.4.23';

/**
 * A faithful etcd in this process: one member that always leads, without disk and network.
 *
 * Guarantees: the same requests in the same order get the answers a real etcd 3.4 gives, revisions and errors included.
 * Time, timers and chance come from the Runtime alone.
 *
 * Not guaranteed: anything after the process ends. It has no authentication and no cluster administration. Unlike a
 * server before 3.4.34 it does not lose deletes of the compacted revision from a watch that starts there.
 */
export class Engine {
  /**
   * While true, as under etcd's alarm: no puts, no grants, no transaction with a put in either branch (etcd overlooks
   * those in nested ones, and so do we). All else works.
   */
  noSpace = false;
  /** In every header. Raise it to tell clients of a new leader. */
  raftTerm = 2n;

  readonly #store: Mvcc;
  readonly #hub = new WatchHub();
  readonly #lessor: Lessor;
  readonly #streams = new StreamSet();
  #closed = false;

  constructor({ runtime, onRevision }: EngineOptions) {
    this.#lessor = new Lessor(runtime, (keys) => {
      const write = this.#store.write();
      for (const key of keys) write.remove({ key });
      write.commit();
    });
    this.#store = new Mvcc((changes) => {
      onRevision?.(this.#store.revision);
      this.#lessor.follow(changes);
      this.#hub.publish(changes, this.#store.revision);
    });
  }

  /** Keys visited by all reads so far: what they cost. */
  get keysWalked(): number {
    return this.#store.keysWalked;
  }

  /**
   * Executes one request at once.
   * @throws TransportError as the server would answer.
   */
  execute<M extends Method>(method: M, request: Calls[M]['request']): Calls[M]['response'] {
    if (this.#closed) throw refusal('stopped');
    return this.#handlers[method](request);
  }

  watchStream(listener: StreamListener<WatchMessage>): ServerStream<WatchCommand> {
    const parts = {
      store: this.#store,
      hub: this.#hub,
      header: (revision: bigint) => this.#header(revision),
    };
    return this.#serve(new WatchStream(parts, listener));
  }

  keepAliveStream(listener: StreamListener<KeepAliveMessage>): ServerStream<KeepAliveCommand> {
    return this.#serve(new KeepAliveStream(this.#lessor, () => this.#header(), listener));
  }

  /** Revokes a lease as if its time were over, whatever is left of it. False if there is no such lease. */
  expireLease(id: bigint): boolean {
    if (!this.#lessor.has(id)) return false;
    this.#lessor.revoke(id);
    return true;
  }

  /** How long it has, to the millisecond (`leaseTimeToLive` answers in whole seconds); undefined if there is no such lease. */
  leaseLeftMs(id: bigint): number | undefined {
    return this.#lessor.leftMs(id);
  }

  /** Starts every lease's TTL again, as a change of the leader does. */
  extendLeases(): void {
    this.#lessor.extendAll();
  }

  /** Stops all timers, ends all streams as unavailable, and refuses all requests from now on. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#lessor.close();
    this.#streams.endAll(refusal('stopped'));
  }

  readonly #handlers: Handlers = {
    get: (op) => this.#get(op),
    put: (op) => this.#put(op),
    remove: (op) => this.#remove(op),
    txn: (op) => this.#txn(op),
    compact: ({ revision }) => {
      this.#store.compact(revision);
      return { header: this.#header() };
    },
    leaseGrant: ({ id, ttlSeconds }) => {
      if (this.noSpace) throw refusal('noSpace');
      return { ...this.#lessor.grant(id, ttlSeconds), header: this.#header() };
    },
    leaseRevoke: ({ id }) => {
      this.#lessor.revoke(id);
      return { header: this.#header() };
    },
    leaseTimeToLive: ({ id, keys: wantsKeys }) => {
      const { keys, ...times } = this.#lessor.timeToLive(id);
      return { id, ...times, keys: wantsKeys ? keys : [], header: this.#header() };
    },
    leaseList: () => ({ leases: this.#lessor.list(), header: this.#header() }),
    status: () => {
      const header = this.#header();
      return { header, version, dbSizeBytes: 0n, leader: header.memberId };
    },
  };

  #get(op: GetOp): Answer<GetResult> {
    checkRequest(op);
    return { ...read(this.#store, op), header: this.#header() };
  }

  #put(op: PutOp): Answer<PutResult> {
    checkRequest(op);
    if (this.noSpace) throw refusal('noSpace');
    checkLease(op, (lease) => this.#lessor.has(lease));
    checkPresent(this.#store, op);
    return this.#write((write) => runPut(write, op));
  }

  #remove(op: RemoveOp): Answer<RemoveResult> {
    checkRequest(op);
    return this.#write((write) => runRemove(write, op));
  }

  #txn(op: TxnOp): Answer<TxnResult> {
    checkRequest(op);
    if (this.noSpace && [...op.then, ...op.else].some(({ kind }) => kind === 'put')) throw refusal('noSpace');
    const plan = planTxn(this.#store, op);
    checkPlan(this.#store, plan, (lease) => this.#lessor.has(lease));
    return this.#write((write) => runPlan(write, plan));
  }

  /** Runs a transaction that has been checked; the header then carries its revision. */
  #write<Result extends object>(run: (write: Write) => Result): Result & { readonly header: Header } {
    const write = this.#store.write();
    const result = run(write);
    write.commit();
    return { ...result, header: this.#header() };
  }

  #header(revision: bigint = this.#store.revision): Header {
    return { clusterId: 1n, memberId: 1n, revision, raftTerm: this.raftTerm };
  }

  #serve<Command>(stream: ServerStream<Command>): ServerStream<Command> {
    const served = this.#streams.add(stream);
    if (this.#closed) served.end(refusal('stopped'));
    return served;
  }
}
