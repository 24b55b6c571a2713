import { type LineFolder, linePrefix, type Place, placeText } from '../base/keys.js';
import { Line, type LineSpec } from './line.js';
import { divide, type Division, dividePermits, noOlderTicket, readersShare, type Standing } from './rules.js';

/** The kinds of lines, as the methods of a Conclave are called. */
export type LineKind = 'mutex' | 'rwLock' | 'semaphore' | 'election';

interface Traits {
  /** Below the namespace. */
  readonly folder: LineFolder;
  /** Where the tickets stand below the line's prefix. */
  readonly tickets: string;
  readonly divide: (standing: Standing) => Division;
  /** For messages. */
  readonly title: string;
}

const byOrder: Traits['divide'] = (standing) => divide(noOlderTicket, standing);
const byMode: Traits['divide'] = (standing) => divide(readersShare, standing);

/** A multi-lock stands in the lines of mutexes. */
export const lineKinds: Readonly<Record<LineKind, Traits>> = {
  mutex: { folder: 'lock', tickets: '', divide: byOrder, title: 'mutex' },
  rwLock: { folder: 'rw', tickets: '', divide: byMode, title: 'read/write lock' },
  semaphore: { folder: 'semaphore', tickets: 't/', divide: dividePermits, title: 'semaphore' },
  election: { folder: 'election', tickets: '', divide: byOrder, title: 'election' },
};

/** @throws TypeError unless it is one */
export function checkKind(kind: LineKind): LineKind {
  if (Object.hasOwn(lineKinds, kind)) return kind;
  throw new TypeError(`kind must be one of ${Object.keys(lineKinds).join(', ')}`);
}

/** @throws TypeError, RangeError for a bad name or path */
export function lineOf(namespace: string, kind: LineKind, place: Place, spec: Partial<LineSpec> = {}): Line {
  const { folder, title } = lineKinds[kind];
  const prefix = linePrefix(namespace, folder, place);
  return lineAt(kind, { prefix, title: `${title} ${placeText(place)}`, ...spec });
}

export function lineAt(kind: LineKind, spec: LineSpec): Line {
  return new Line({ ticketPrefix: spec.prefix + lineKinds[kind].tickets, ...spec });
}
