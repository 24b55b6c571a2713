import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change, Entry, Json, Violation } from '../history/record.js';
import type { Evidence } from '../workload/workload.js';

/** What a run was: enough to judge it again, and to run the like of it. */
export interface Facts {
  readonly workload: string;
  readonly namespace: string;
  readonly ttlMs: number;
  readonly options: Json;
  /** What was done to it, and when. */
  readonly schedule: readonly Struck[];
}

/** A fault that was there. Times as those of the history. */
export interface Struck {
  readonly nemesis: string;
  readonly from: number;
  readonly to: number;
  /** Nothing was done: its victim has not come by. */
  readonly isMissed?: true;
  /** Why it could not begin, or be undone. */
  readonly error?: string;
}

const clientsFolder = 'clients';
/** Three members tell of a change: one of them is never that late, and if all are a client knows it no sooner. */
const lagMs = 1_000;
/** All processes read the clock of one machine. */
const clockDrift = 0;

export function evidenceOf(
  entries: readonly Entry[],
  changes: readonly Change[],
  { namespace, ttlMs }: Pick<Evidence, 'namespace' | 'ttlMs'>,
): Evidence {
  return { entries, changes, namespace, ttlMs, lagMs, clockDrift };
}

/** The directory of a run: what its clients write, and at the end the rest. */
export class Archive {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  static create(): Archive {
    const directory = mkdtempSync(join(tmpdir(), 'conclave-chaos-'));
    mkdirSync(join(directory, clientsFolder));
    return new Archive(directory);
  }

  historyOf(client: string): string {
    return join(this.directory, clientsFolder, `${client}.ndjson`);
  }

  /** What all clients have written so far, in the order of time. */
  entries(): Entry[] {
    const folder = join(this.directory, clientsFolder);
    const entries = readdirSync(folder).flatMap((file) => readLines<Entry>(join(folder, file)));
    return entries.sort((a, b) => a.at - b.at);
  }

  write(facts: Facts, changes: readonly Change[], violations: readonly Violation[], logs: string): void {
    this.#put('facts.json', JSON.stringify(facts, null, 2));
    this.#put('changes.ndjson', changes.map((change) => JSON.stringify(change) + '\n').join(''));
    this.#put('violations.json', JSON.stringify(violations, null, 2));
    this.#put('members.log', logs);
  }

  /** With the violations that were found then. */
  read(): {
    readonly facts: Facts;
    readonly evidence: Evidence;
    readonly violations: readonly Violation[];
  } {
    const facts = JSON.parse(this.#get('facts.json')) as Facts;
    const violations = JSON.parse(this.#get('violations.json')) as Violation[];
    const { namespace, ttlMs } = facts;
    const changes = readLines<Change>(join(this.directory, 'changes.ndjson'));
    return { facts, evidence: evidenceOf(this.entries(), changes, { namespace, ttlMs }), violations };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #get(file: string): string {
    return readFileSync(join(this.directory, file), 'utf8');
  }

  #put(file: string, text: string): void {
    writeFileSync(join(this.directory, file), text);
  }
}

/** A process that was killed may have left half a line at the end. */
function readLines<T>(path: string): T[] {
  const text = readFileSync(path, 'utf8');
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}
