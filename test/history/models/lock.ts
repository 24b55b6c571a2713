import type { LockKind } from '../lock-kinds.js';
import type { Model } from '../wgl.js';

/** What happens to a lock. Nothing but what the library has told: no revisions besides the fencing tokens it gave out. */
export type LockCall =
  | {
      readonly kind: 'acquire';
      readonly key: string;
      readonly token: number;
      readonly weight: number;
    }
  /** It takes less room from now on. */
  | { readonly kind: 'downgrade'; readonly key: string; readonly weight: number }
  /** `expire`: its owner did not do it. */
  | { readonly kind: 'release' | 'expire'; readonly key: string }
  /** Accepted, under the guard of the hold. */
  | { readonly kind: 'write'; readonly key: string; readonly token: number };

interface Holder {
  readonly key: string;
  readonly token: number;
  readonly weight: number;
}

export interface LockState {
  /** By token. */
  readonly holders: readonly Holder[];
  /** The last that was given out. */
  readonly token: number;
}

/**
 * A fenced lock: who comes fits in beside those who hold, and gets a larger token than all before it. An `acquire` that
 * yields what is held already (re-entrant) keeps its token.
 */
export function lockModel({ name, capacity }: LockKind): Model<LockState, LockCall> {
  return {
    name,
    initial: { holders: [], token: 0 },
    step(state, call) {
      const { holders, token } = state;
      const mine = holders.find(({ key }) => key === call.key);
      switch (call.kind) {
        case 'acquire':
          if (mine) return mine.token === call.token ? state : undefined;
          if (call.token <= token || totalOf(holders) + call.weight > capacity) return undefined;
          return { holders: [...holders, call], token: call.token };
        case 'downgrade':
          if (!mine || call.weight > mine.weight) return undefined;
          return {
            holders: holders.map((each) => (each === mine ? { ...mine, weight: call.weight } : each)),
            token,
          };
        case 'release':
        case 'expire':
          return mine && { holders: holders.filter((each) => each !== mine), token };
        case 'write':
          return mine?.token === call.token ? state : undefined;
        default:
          return call satisfies never;
      }
    },
    keyOf: ({ holders, token }) =>
      `${holders.map(({ key, weight }) => `${key} (${weight})`).join(' ')} | ${token}`,
    describe: (call) =>
      'token' in call ? `${call.kind} ${call.key}, token ${call.token}` : `${call.kind} ${call.key}`,
  };
}

function totalOf(holders: readonly Holder[]): number {
  let total = 0;
  for (const { weight } of holders) total += weight;
  return total;
}
