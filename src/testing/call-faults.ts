import type { Calls, KeepAliveCommand, Method } from '../store/transport.js';

/** What a fault can be aimed at: a request by its method, or one renewal of a lease. */
export type Target = Method | 'keepAlive';

/** All of them: the compiler finds one that is missing. */
const targets: Readonly<Record<Target, true>> = {
  get: true,
  put: true,
  remove: true,
  txn: true,
  compact: true,
  leaseGrant: true,
  leaseRevoke: true,
  leaseTimeToLive: true,
  leaseList: true,
  status: true,
  keepAlive: true,
};

/** What is sent to a target. */
export type RequestTo<T extends Target> = T extends Method ? Calls[T]['request'] : KeepAliveCommand;

/** Which request a fault hits. */
export interface CallFilter<T extends Target = Target> {
  /** What is written under a lock by `commit` is a `txn`. @default any but renewals of a lease */
  readonly method?: T;
  /** @default any */
  readonly endpoint?: string;
  /** Only requests for which this is true count. @default all */
  readonly where?: (request: RequestTo<T>) => boolean;
  /** 1 is the next one that matches, from now on. @default 1 */
  readonly nth?: number;
}

/** What happens to one request. */
export type Fate =
  /** Never arrives. */
  | { readonly kind: 'lose-request' }
  /** Executed; the answer never arrives. */
  | { readonly kind: 'lose-reply' }
  /** Executed only after `ms`. */
  | { readonly kind: 'delay-request'; readonly ms: number }
  /** Executed at once; the answer arrives after `ms`. */
  | { readonly kind: 'delay-reply'; readonly ms: number }
  /** Executed at once, and once more after `ms`; the answer never arrives. */
  | { readonly kind: 'repeat-request'; readonly ms: number };

/** A fault that waits for its request. */
export interface Fault {
  readonly hasFired: boolean;
  /** Disarms it. Idempotent. */
  cancel(): void;
}

/** A request, as a fault is shown it. */
export interface Call<T extends Target = Target> {
  readonly endpoint: string;
  readonly method: T;
  readonly request: RequestTo<T>;
}

/** A fault, and whether the client is told that its connection broke, or hears nothing. */
export interface Verdict {
  readonly fate: Fate;
  readonly isSilent: boolean;
}

interface Armed {
  readonly verdict: Verdict;
  readonly matches: (call: Call) => boolean;
  remaining: number;
}

/** The faults aimed at single requests of one client. */
export class CallFaults {
  readonly #armed = new Set<Armed>();

  /**
   * @throws RangeError unless `nth` is a whole number from 1
   * @throws TypeError if there is no such method: it would never fire, and the test would pass
   */
  add<T extends Target>(filter: CallFilter<T>, verdict: Verdict): Fault {
    const { nth = 1, method } = filter;
    if (method !== undefined && !Object.hasOwn(targets, method))
      throw new TypeError(`there is no method ${method}; there are ${Object.keys(targets).join(', ')}`);
    if (!Number.isInteger(nth) || nth < 1) throw new RangeError(`nth counts from 1, got ${nth}`);
    const armed: Armed = { verdict, remaining: nth, matches: (call) => matches(call, filter) };
    this.#armed.add(armed);
    return {
      get hasFired() {
        return armed.remaining === 0;
      },
      cancel: () => this.#armed.delete(armed),
    };
  }

  /** Disarms all. */
  clear(): void {
    this.#armed.clear();
  }

  /** A request that one fault takes is not counted by those installed after it. */
  verdictOn(call: Call): Verdict | undefined {
    for (const armed of this.#armed) {
      if (!armed.matches(call) || --armed.remaining > 0) continue;
      this.#armed.delete(armed);
      return armed.verdict;
    }
    return undefined;
  }
}

function matches<T extends Target>(call: Call, { method, endpoint, where }: CallFilter<T>): boolean {
  if (method === undefined ? call.method === 'keepAlive' : call.method !== method) return false;
  if (endpoint !== undefined && call.endpoint !== endpoint) return false;
  // Of target T, as just checked; without a method T is every target.
  return where?.(call.request as RequestTo<T>) ?? true;
}
