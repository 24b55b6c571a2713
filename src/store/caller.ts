import { toText } from '../base/bytes.js';
import { report } from '../base/diagnostics.js';
import { ClosedError, type ConclaveError, UnavailableError } from '../base/errors.js';
import { retry } from './retry.js';
import type { Runtime } from '../base/runtime.js';
import { checkTimeout } from '../base/wait.js';
import type { Endpoints } from './endpoints.js';
import { blamesEndpoint, isSpaceExceeded, outcomeOf, toConclaveError } from './outcome.js';
import type { Header } from './results.js';
import { type Calls, type Method, type Transport, TransportError, type UnaryOptions } from './transport.js';

export interface CallOptions {
  /** Rejects the call with the signal's reason; a mutation under way may still be applied. */
  readonly signal?: AbortSignal | undefined;
  /** Longest time for the call with all its attempts, in milliseconds. @default the connection's `dialTimeoutMs` */
  readonly timeoutMs?: number | undefined;
}

/** For the store itself. */
export interface RepeatableCallOptions extends CallOptions {
  /** A second copy of this mutation changes nothing, so it is repeated until it is answered, like a read. @default false */
  readonly isRepeatable?: boolean;
  /** Called before each attempt, as long as surely none of those before it was done. */
  readonly onSend?: () => void;
}

/** Something to be asked, whatever carries it. */
export interface Question<T> {
  /** For messages. */
  readonly what: () => string;
  /** For messages of a refusal: any of its keys may be the one that is not covered by a role. @default `what` */
  readonly whatAllOfIt?: (() => string) | false;
  readonly isMutation: boolean;
  /** Whether a member that knows no leader is to refuse it. */
  readonly requireLeader: boolean;
  /** Asked there and nowhere else; undefined: wherever it is answered. */
  readonly endpoint?: string | undefined;
  readonly ask: (endpoint: string, options: UnaryOptions) => Promise<T>;
}

/** Some answers come without a header. */
interface Headed {
  readonly header?: Header;
}

/** What a call may do, worked out once. */
interface Plan extends Pick<RepeatableCallOptions, 'onSend'> {
  readonly limitMs: number;
  /** Whether a second copy could do harm. */
  readonly mutates: boolean;
  /** Aborts when the caller or the connection has ended the call. */
  readonly over: AbortSignal;
}

/** A silent member costs a read this long before the next one is asked; in each further round of all, twice as long. */
const readAttemptMs = 1_500;

/**
 * Unary calls: chooses the endpoint, repeats what is safe to repeat, and names what happened.
 *
 * A read is repeated until it is answered. A mutation is repeated only if it surely was not done; when its fate is
 * open it ends at once with `OutcomeUnknownError`, since only its author knows how to find out.
 */
export class Caller {
  readonly #transport: Transport;
  readonly #runtime: Runtime;
  readonly #endpoints: Endpoints;
  readonly #defaultTimeoutMs: number;
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  constructor(transport: Transport, runtime: Runtime, endpoints: Endpoints, defaultTimeoutMs: number) {
    this.#transport = transport;
    this.#runtime = runtime;
    this.#endpoints = endpoints;
    this.#defaultTimeoutMs = defaultTimeoutMs;
  }

  async call<M extends Method>(
    method: M,
    request: Calls[M]['request'],
    options: RepeatableCallOptions = {},
  ): Promise<Calls[M]['response']> {
    const question: Question<Calls[M]['response']> = {
      what: () => describe(method, request),
      whatAllOfIt: 'if' in request && ((): string => describeFully(request as Calls['txn']['request'])),
      isMutation: isMutation(method, request),
      requireLeader: !('serializable' in request && request.serializable),
      ask: (endpoint, unaryOptions) => this.#transport.unary(endpoint, method, request, unaryOptions),
    };
    return this.answer(question, options);
  }

  /** The same for what is not in `Calls`. */
  async answer<T extends Headed>(
    question: Question<T>,
    { signal, timeoutMs, isRepeatable = false, onSend }: RepeatableCallOptions = {},
  ): Promise<T> {
    const limitMs = checkTimeout(timeoutMs ?? this.#defaultTimeoutMs);
    signal?.throwIfAborted();
    if (this.#closed) throw new ClosedError(`${question.what()}: the connection is closed`);
    const mutates = !isRepeatable && question.isMutation;
    const over = new AbortController();
    const onAbort = (): void => over.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#underWay.add(over);
    try {
      return await this.#repeat(question, {
        limitMs,
        mutates,
        over: over.signal,
        ...(onSend && { onSend }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#explain(error, question, limitMs);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#underWay.delete(over);
    }
  }

  /** New calls reject with `ClosedError`, and so do those under way, except a mutation that was sent: it is unknown. */
  close(): void {
    this.#closed = true;
    for (const over of this.#underWay) over.abort();
  }

  #repeat<T extends Headed>(question: Question<T>, { limitMs, mutates, over, onSend }: Plan): Promise<T> {
    const until = this.#runtime.now() + limitMs;
    let lastError: TransportError | undefined;
    let silences = 0;
    // Set once an attempt may have been executed: later ones that surely were not do not change that.
    let unknown: TransportError | undefined;
    const attempt = async (): Promise<T> => {
      // The pause before may have ended together with the call.
      over.throwIfAborted();
      const remainingMs = until - this.#runtime.now();
      // The pause before has used up the time: what was wrong is the better message than that nothing was.
      if (lastError !== undefined && remainingMs <= 0) throw lastError;
      if (!unknown) onSend?.();
      // When all have been silent this long, the answer may just take longer.
      const patienceMs = readAttemptMs * 2 ** Math.floor(silences / this.#endpoints.all.length);
      const mayAskElsewhere = !mutates && question.endpoint === undefined;
      return this.#once(question, mayAskElsewhere ? Math.min(remainingMs, patienceMs) : remainingMs, over);
    };
    const again = (error: unknown, attempts: number): boolean => {
      if (over.aborted || !(error instanceof TransportError)) return false;
      if (outcomeOf(error) === 'unknown') unknown ??= error;
      if (!maySendAgain(error, mutates) || this.#runtime.now() >= until || isHopeless(error)) {
        // For a read it makes no difference, and the latest error is the better message.
        if (unknown && outcomeOf(error) === 'not-done' && question.isMutation) throw unknown;
        // "Refused" tells more than that the last attempt had no time left.
        const isSilence = error.status === 'deadline-exceeded';
        if (lastError && isSilence && !(mutates && outcomeOf(error) === 'unknown')) throw lastError;
        return false;
      }
      if (!lastError || error.status !== 'deadline-exceeded') lastError = error;
      if (error.status === 'deadline-exceeded') silences++;
      report('conclave:retry', () => ({ what: question.what(), attempt: attempts, error }));
      return true;
    };
    return retry(this.#runtime, attempt, { signal: over, until, again });
  }

  async #once<T extends Headed>(question: Question<T>, timeoutMs: number, over: AbortSignal): Promise<T> {
    const endpoint = question.endpoint ?? this.#endpoints.pick();
    // gRPC's own deadlines are wall-clock times; a Runtime timer is not fooled by a clock step.
    const cancel = new AbortController();
    const onOver = (): void => cancel.abort();
    const timer =
      timeoutMs === Infinity ? undefined : this.#runtime.setTimer(timeoutMs, () => cancel.abort());
    over.addEventListener('abort', onOver, { once: true });
    try {
      const { requireLeader } = question;
      const response = await question.ask(endpoint, { signal: cancel.signal, requireLeader });
      if (response.header) this.#endpoints.sawTerm(response.header.raftTerm);
      this.#endpoints.succeeded(endpoint);
      return response;
    } catch (error) {
      if (!(error instanceof TransportError) || over.aborted) throw error;
      if (blamesEndpoint(error)) this.#endpoints.failed(endpoint);
      if (error.status !== 'cancelled' || !cancel.signal.aborted) throw error;
      const silence = `no answer from ${endpoint} within ${Math.round(timeoutMs)} ms`;
      throw new TransportError('deadline-exceeded', silence, { neverSent: error.neverSent, cause: error });
    } finally {
      timer?.cancel();
      over.removeEventListener('abort', onOver);
    }
  }

  #explain<T>(error: unknown, question: Question<T>, limitMs: number): unknown {
    const { isMutation: mutates, endpoint } = question;
    const what = question.what();
    const isSettled = error instanceof TransportError && !maySendAgain(error, mutates);
    if (this.#closed && !isSettled)
      return new ClosedError(`${what}: the connection was closed`, { cause: error });
    if (!(error instanceof TransportError)) return error;
    const ours: ConclaveError = toConclaveError(error, what, mutates);
    if (ours.code === 'AUTH' && question.whatAllOfIt)
      return toConclaveError(error, question.whatAllOfIt(), mutates);
    if (!(ours instanceof UnavailableError)) return ours;
    const endpoints = endpoint ?? this.#endpoints.all.join(', ');
    return new UnavailableError(
      `${ours.message}; tried ${endpoints} for ${Math.round(limitMs)} ms. Is etcd running there?`,
      { cause: error },
    );
  }
}

function maySendAgain(error: TransportError, mutates: boolean): boolean {
  const outcome = outcomeOf(error);
  return outcome === 'not-done' || (outcome === 'unknown' && !mutates);
}

/** No repetition will mend a certificate that is not trusted, or a store that is full. */
function isHopeless(error: TransportError): boolean {
  return isSpaceExceeded(error) || toConclaveError(error, '', false).code === 'AUTH';
}

function isMutation(method: Method, request: Calls[Method]['request']): boolean {
  switch (method) {
    case 'get':
    case 'status':
    case 'leaseList':
    case 'leaseTimeToLive':
      return false;
    case 'txn':
      return hasWrites(request as Calls['txn']['request']);
    case 'put':
    case 'remove':
    case 'compact':
    case 'leaseGrant':
    case 'leaseRevoke':
      return true;
    default:
      method satisfies never;
      return true;
  }
}

/** A transaction without a write in any branch is a read. */
function hasWrites(txn: Calls['txn']['request']): boolean {
  return [...txn.then, ...txn.else].some((op) => op.kind !== 'get' && (op.kind !== 'txn' || hasWrites(op)));
}

function describe<M extends Method>(method: M, request: Calls[M]['request']): string {
  if ('range' in request) return `${method} ${quote(request.range.key)}`;
  if ('key' in request) return `${method} ${quote(request.key)}`;
  if ('id' in request && request.id) return `${method} ${request.id.toString(16)}`;
  if ('if' in request) return `${method} on ${quote(firstKey(request as Calls['txn']['request']))}`;
  return method;
}

/** Enough to recognise a transaction by: what it writes or reads first, or what it compares. */
function firstKey({ if: compares, then, else: otherwise }: Calls['txn']['request']): Uint8Array {
  const [op] = [...then, ...otherwise];
  if (op?.kind === 'put') return op.key;
  if (op?.kind === 'txn') return firstKey(op);
  return op?.range.key ?? compares[0]?.range.key ?? new Uint8Array();
}

const keysTold = 10;

function describeFully(request: Calls['txn']['request']): string {
  const keys = [...new Set(keysOf(request).map(quote))];
  const others = keys.length > keysTold ? ` and ${keys.length - keysTold} more` : '';
  return `txn on ${keys.slice(0, keysTold).join(', ')}${others}`;
}

/** What it may write or read, then what it compares. */
function keysOf({ if: compares, then, else: otherwise }: Calls['txn']['request']): readonly Uint8Array[] {
  const ofOps = [...then, ...otherwise].flatMap((op) => {
    if (op.kind === 'txn') return keysOf(op);
    return [op.kind === 'put' ? op.key : op.range.key];
  });
  return [...ofOps, ...compares.map(({ range }) => range.key)];
}

function quote(key: Uint8Array): string {
  return JSON.stringify(toText(key));
}
