import type { LineKind } from '../index.js';
import { exitStatus, Failure } from './failure.js';

/** The kinds as the commands are called, and as they are printed. */
const kinds = {
  mutex: 'mutex',
  rwLock: 'rwlock',
  semaphore: 'semaphore',
  election: 'election',
} as const satisfies Record<LineKind, string>;

export const allKinds: readonly LineKind[] = Object.keys(kinds) as LineKind[];

export function wordFor(kind: LineKind): string {
  return kinds[kind];
}

/** In upper or lower case: `rwlock` is `rwLock` in the library. @throws Failure */
export function parseKind(text: string): LineKind {
  const kind = allKinds.find((each) => each.toLowerCase() === text.toLowerCase());
  if (kind) return kind;
  const known = Object.values(kinds).join(', ');
  throw new Failure(exitStatus.usage, `--kind: there is no ${JSON.stringify(text)}, but ${known}`);
}

/** Of commands that look at one kind, or at every one. */
export const kindHelp: string = `  --kind KIND           ${Object.values(kinds).join(', ')}`;
