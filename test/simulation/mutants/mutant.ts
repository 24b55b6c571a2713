/** One place in the TypeScript source: `find` occurs once in its file. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A bug planted in the library, and the seed that first showed it. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Whose seed shows it. */
  readonly workload: string;
  readonly size: 'micro' | 'full';
  /** `--hunt '' --write` writes them all anew, with the rules: what a seed means changes with the faults and the workloads. */
  readonly seed: number;
  /** Which rule it breaks there: found by another one, it is another bug than the one it stands for. */
  readonly rule: string;
  /** Of two defences that hide each other both are gone: which the second one is. */
  readonly masks?: string;
}
