import { openSync, writeSync } from 'node:fs';
import type { Entry } from '../../history/record.js';
import type { Paper } from '../../workload/scribe.js';

/** Milliseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A file, a line for each entry, written before anything else happens: a process that is killed has written all it knew. */
export class PaperFile implements Paper {
  readonly now: () => number = monotonicMs;
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  readonly write = (entry: Entry): void => {
    writeSync(this.#file, JSON.stringify(entry) + '\n');
  };
}
