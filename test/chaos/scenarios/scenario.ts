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
    const sorted = [...times].sort((a, b) => a - b);
    const at = (share: number): number => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? NaN);
    if (sorted.length === 0) this.figures[name] = 'none';
    else this.figures[name] = `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms (${sorted.length})`;
  }

  expect(holds: boolean, what: string): void {
    if (!holds) this.violations.push({ rule: this.#rule, what });
  }

  add(violations: readonly Violation[]): void {
    this.violations.push(...violations);
  }
}
