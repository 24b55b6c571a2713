import type { Model } from '../wgl.js';

export type ElectionCall =
  /** Without a token its candidate was never told whether it leads: it may have, for a while. */
  | {
      readonly kind: 'campaign';
      readonly key: string | undefined;
      readonly token: number | undefined;
      readonly value: string;
    }
  | { readonly kind: 'proclaim'; readonly key: string; readonly value: string }
  /** `expire`: its owner did not do it. */
  | { readonly kind: 'resign' | 'expire'; readonly key: string }
  /** Without a token: nobody leads. */
  | { readonly kind: 'leader'; readonly token: number | undefined; readonly value: string };

export interface ElectionState {
  readonly leader:
    | {
        /** undefined: one who was never told. It may go at any time. */
        readonly key: string | undefined;
        /** undefined: nobody has seen it yet. */
        readonly token: number | undefined;
        readonly value: string;
      }
    | undefined;
  /** The last term that is known. */
  readonly term: number;
}

/** One leads at a time; each with a larger term, its fencing token, than all before it. */
export const electionModel: Model<ElectionState, ElectionCall> = {
  name: 'election',
  initial: { leader: undefined, term: 0 },
  step(state, call) {
    const { leader, term } = state;
    const isFree = leader?.key === undefined;
    switch (call.kind) {
      case 'campaign': {
        if (!isFree || (call.token ?? Infinity) <= term) return undefined;
        const { key, token, value } = call;
        return { leader: { key, token, value }, term: token ?? term };
      }
      case 'proclaim':
        return leader?.key === call.key ? { leader: { ...leader, value: call.value }, term } : undefined;
      case 'resign':
      case 'expire':
        return leader?.key === call.key ? { leader: undefined, term } : undefined;
      case 'leader':
        if (call.token === undefined) return isFree ? { leader: undefined, term } : undefined;
        if (leader?.value !== call.value) return undefined;
        if (leader.token === call.token) return state;
        if (leader.token !== undefined || call.token <= term) return undefined;
        return { leader: { ...leader, token: call.token }, term: call.token };
      default:
        return call satisfies never;
    }
  },
  keyOf: ({ leader, term }) =>
    leader ? `${leader.key ?? '?'} as ${leader.token ?? '?'} ${leader.value} | ${term}` : `nobody | ${term}`,
  describe: (call) =>
    Object.entries(call)
      .map(([name, value]) => (name === 'kind' ? String(value) : `${name} ${String(value)}`))
      .join(', '),
};
