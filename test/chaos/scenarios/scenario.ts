import type { Violation } from '../../history/record.js';
import type { Tool } from '../rig/tools.js';

/** Something that the library must stand on a real cluster, as data. */
export interface Scenario {
  /** As in the list of what has to be shown. */
  readonly number: number;
  readonly title: string;
  /** P: shown before each change is taken, in a tenth of the repetitions; L: in the long run only. */
  readonly tier: 'P' | 'L';
  /** What the machine has to allow. */
  readonly needs: readonly Tool[];
  readonly repetitions: { readonly full: number; readonly tenth: number };
  run(stand: Stand, repetitions: number): Promise<void>;
}

/** Where a scenario says what it has found. */
export class Stand {
  readonly seed: number;
  readonly figures: Record<string, number | string> = {};
  readonly violations: Violation[] = [];
  readonly #rule: string;

  constructor(rule: string, seed: number) {
    this.#rule = rule;
    this.seed = seed;
  }

  figure(name: string, value: number | string): void {
    this.figures[name] = typeof value === 'number' ? Math.round(value * 10) / 10 : value;
  }

  /** Of times, in milliseconds. */
  spread(name: string, times: readonly number[]): void {
    const at = (share: number): string => `${Math.round(percentile(times, share))} ms`;
    // Of fewer than a hundred it is the longest.
    const p99 = times.length < 100 ? '' : `p99 ${at(0.99)}, `;
    this.figures[name] = times.length === 0 ? 'none' : `p50 ${at(0.5)}, ${p99}max ${at(1)} (${times.length})`;
  }

  expect(holds: boolean, what: string): void {
    if (!holds) this.violations.push({ rule: this.#rule, what });
  }

  add(violations: readonly Violation[]): void {
    this.violations.push(...violations);
  }
}

/** The smallest of them that such a share of all does not exceed; NaN of none. */
export function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? NaN;
}
