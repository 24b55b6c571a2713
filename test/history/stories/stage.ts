import { Random } from '../../../src/testing/random.js';
import type { Change, Entry, Facts, Return } from '../record.js';

/** For tests of the checkers: what runs leave, without a run. The same seed makes up the same. */
export interface MadeUp {
  readonly entries: Entry[];
  readonly changes: Change[];
}

/** Time and a store, enough for stories. */
export class Stage implements MadeUp {
  readonly entries: Entry[] = [];
  readonly changes: Change[] = [];
  readonly random: Random;
  now = 0;
  revision = 1;
  readonly #live = new Map<string, Pick<Change, 'createRevision' | 'version' | 'lease'>>();
  /** Latest first. */
  readonly #agenda: { readonly at: number; readonly what: () => void }[] = [];
  #calls = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** After some milliseconds, more or less. */
  later(ms: number, what: () => void): void {
    const at = this.now + this.random.between(0.1, 2 * ms);
    let place = this.#agenda.length;
    while (place > 0 && (this.#agenda[place - 1]?.at ?? 0) < at) place--;
    this.#agenda.splice(place, 0, { at, what });
  }

  play(): MadeUp {
    for (let next = this.#agenda.pop(); next; next = this.#agenda.pop()) {
      this.now = next.at;
      next.what();
    }
    return this;
  }

  isLive(key: string): boolean {
    return this.#live.has(key);
  }

  /** @returns the revision */
  put(key: string, value: Facts | string, lease = '0'): number {
    const revision = ++this.revision;
    const { createRevision = revision, version = 0 } = this.#live.get(key) ?? {};
    const kept = { createRevision, version: version + 1, lease };
    this.#live.set(key, kept);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    this.changes.push({ revision, at: this.now, type: 'put', key, value: text, ...kept });
    return revision;
  }

  /** In one transaction; those that are not there are left out. */
  delete(...keys: readonly string[]): number {
    const revision = ++this.revision;
    for (const key of keys) {
      if (!this.#live.delete(key)) continue;
      const nothing = { value: '', createRevision: 0, version: 0, lease: '0' };
      this.changes.push({ revision, at: this.now, type: 'delete', key, ...nothing });
    }
    return revision;
  }

  invoke(client: string, call: string, on: string, input: Facts = {}): string {
    const id = `call-${this.#calls++}`;
    this.entries.push({ kind: 'invoke', at: this.now, client, id, call, on, input });
    return id;
  }

  return(id: string, outcome: Return['outcome'], output: Facts = {}): void {
    this.entries.push({ kind: 'return', at: this.now, id, outcome, output });
  }

  note(client: string, what: string, on: string, facts: Facts): void {
    this.entries.push({ kind: 'note', at: this.now, client, what, on, facts });
  }
}
