import { get, type KeyValue, prefix } from '../../src/index.js';
import type { World } from '../../src/testing/index.js';
import { isBefore } from './rules.js';
import { emptyLine, type Line, type Ticket } from './want.js';

/** What a guarded write has left: who wrote, by which tickets. */
export interface Write {
  readonly id: number;
  readonly token: bigint;
  /** Of all its tickets. */
  readonly keys: readonly string[];
}

/** The store at one revision. */
export interface Moment {
  readonly revision: bigint;
  readonly lines: ReadonlyMap<string, Line>;
  /** What was written at this revision, by the name of the line. */
  readonly writes: ReadonlyMap<string, Write>;
}

const decoder = new TextDecoder();

/** Every revision of the lines of one kind, read from the engine itself: no fault and no delay lies in between. */
export class History {
  readonly moments: Moment[] = [];
  /** Up to here the store may have forgotten the past. */
  compactedAt = 0n;
  readonly #world: World;
  readonly #root: string;
  readonly #values = new Map<string, Pick<Ticket, 'mode' | 'permits' | 'value'>>();
  #next = 1n;

  /** @param folder of the kind, below the namespace */
  constructor(world: World, folder: string) {
    this.#world = world;
    this.#root = `conclave/${folder}/`;
  }

  /** @returns the moments since the last call, oldest first. To be called before each compaction. */
  read(): readonly Moment[] {
    const { revision } = this.#world;
    const news: Moment[] = [];
    for (; this.#next <= revision; this.#next++) news.push(this.#momentAt(this.#next));
    this.moments.push(...news);
    return news;
  }

  /** After a compaction: what has come since has nothing to do with the lines. */
  skip(): void {
    const { revision } = this.#world;
    this.compactedAt = revision;
    this.moments.push({ revision, lines: this.latest, writes: new Map() });
    this.#next = revision + 1n;
  }

  /** The line as it was. */
  at(revision: bigint, name: string): Line {
    return this.moments.findLast((moment) => moment.revision <= revision)?.lines.get(name) ?? emptyLine;
  }

  /** The line at the revisions from `start` to `end`. */
  *during(name: string, start: bigint, end: bigint): Generator<Line> {
    for (const { revision, lines } of this.moments)
      if (revision >= start && revision <= end) yield lines.get(name) ?? emptyLine;
  }

  get latest(): ReadonlyMap<string, Line> {
    return this.moments.at(-1)?.lines ?? new Map<string, Line>();
  }

  #momentAt(revision: bigint): Moment {
    const lines = new Map<string, Line & { readonly tickets: Ticket[] }>();
    for (const kv of this.#kvs(this.#root, revision)) {
      const key = decoder.decode(kv.key);
      const [name = '', ...rest] = key.slice(this.#root.length).split('/');
      const line = lines.get(name) ?? { ...emptyLine, tickets: [] };
      lines.set(name, line);
      const last = rest.at(-1) ?? '';
      if (last === 'limit')
        Object.assign(line, { limit: Number(decoder.decode(kv.value)), limitMod: kv.modRevision });
      else if (last !== 'before') line.tickets.push(this.#ticket(kv, { key, line: name, name: last }));
    }
    for (const { tickets } of lines.values()) tickets.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    const writes = new Map<string, Write>();
    for (const kv of this.#kvs('app/', revision))
      if (kv.modRevision === revision) writes.set(decoder.decode(kv.key).slice(4), decodeWrite(kv.value));
    return { revision, lines, writes };
  }

  #kvs(start: string, revision: bigint): readonly KeyValue[] {
    return this.#world.engine.execute('get', get(prefix(start), { revision })).kvs;
  }

  #ticket(kv: KeyValue, place: Pick<Ticket, 'key' | 'line' | 'name'>): Ticket {
    const { createRevision: create, modRevision: mod, lease } = kv;
    const version = `${place.key} ${mod}`;
    const wish = this.#values.get(version) ?? decodeWish(kv.value);
    this.#values.set(version, wish);
    return { ...place, create, mod, lease, ...wish };
  }
}

function decodeWish(bytes: Uint8Array): Pick<Ticket, 'mode' | 'permits' | 'value'> {
  const { mode, weight, value } = JSON.parse(decoder.decode(bytes)) as {
    mode?: 'read' | 'write';
    weight?: number;
    value?: string;
  };
  return { mode: mode ?? 'write', permits: weight ?? Infinity, value: value ?? '' };
}

/** Where writes under holds of a line go. */
export function writtenKey(line: string): string {
  return `app/${line}`;
}

export function encodeWrite({ id, token, keys }: Write): string {
  return JSON.stringify({ id, token: String(token), keys });
}

function decodeWrite(bytes: Uint8Array): Write {
  const { id, token, keys } = JSON.parse(decoder.decode(bytes)) as {
    id: number;
    token: string;
    keys: string[];
  };
  return { id, token: BigInt(token), keys };
}
