import type { Operation } from '../record.js';
import type { Model, Timed } from '../wgl.js';

/** One party, in two steps: it comes, and passes. */
export interface BarrierCall {
  readonly kind: 'enter' | 'pass';
  readonly party: string;
}

export interface BarrierState {
  readonly entered: ReadonlySet<string>;
  readonly passed: number;
}

/** A barrier for one round of so many: nobody passes before all have entered. */
export function barrierModel(size: number): Model<BarrierState, BarrierCall> {
  return {
    name: 'barrier',
    initial: { entered: new Set(), passed: 0 },
    step({ entered, passed }, { kind, party }) {
      if (kind === 'enter')
        return entered.has(party) || entered.size === size
          ? undefined
          : { entered: new Set(entered).add(party), passed };
      return entered.size === size && entered.has(party) ? { entered, passed: passed + 1 } : undefined;
    },
    keyOf: ({ entered, passed }) => `${[...entered].sort().join(' ')} | ${passed}`,
    describe: ({ kind, party }) => `${kind} ${party}`,
  };
}

/** @param operations `enter`, those that passed one round, and those of unknown outcome that may have been counted */
export function barrierCalls(operations: readonly Operation[]): Timed<BarrierCall>[] {
  return operations.flatMap(({ id, call, outcome, client, invokedAt: from, returnedAt: to }) => {
    if (call !== 'enter' || outcome === 'no') return [];
    const kinds = outcome === 'ok' ? (['enter', 'pass'] as const) : (['enter'] as const);
    return kinds.map((kind) => ({ client, from, to, call: { kind, party: id } }));
  });
}
