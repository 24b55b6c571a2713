/** A bug planted in the library, and the seed that first showed it. */
export interface Mutant {
  readonly name: string;
  /** Each `find` occurs once in its file. */
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
  /** Whose seed shows it. */
  readonly workload: string;
  readonly size: 'micro' | 'full';
  readonly seed: number;
  /** Of two defences that hide each other both are gone: which the second one is. */
  readonly masks?: string;
}

export const mutants: readonly Mutant[] = [
  {
    name: 'a commit is not guarded by the ticket',
    edits: [
      {
        file: 'src/session/hold.ts',
        find: 'session.store.txn({ if: this.guard(), then: ops })',
        replace: 'session.store.txn({ if: [], then: ops })',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 155,
  },
];
