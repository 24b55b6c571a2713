import fc from 'fast-check';
import type { Conclave } from '../../src/conclave.js';
import { isConclaveError, type Hold } from '../../src/index.js';
import { asManyAsFit, type ModelRule, oneAtATime, readersTogether } from './rules.js';
import type { Want } from './want.js';

/** What can be done with a hold besides writing under it and giving it back. */
export type Change = 'downgrade' | 'upgrade' | 'proclaim' | 'transfer';

export interface WaitFor {
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

/** One of the primitives that are a rule on a line, as its clients use it, and as the model judges it. */
export interface Kind {
  readonly name: 'mutex' | 'multiLock' | 'rwLock' | 'semaphore' | 'election';
  /** Below the namespace. */
  readonly folder: 'lock' | 'rw' | 'semaphore' | 'election';
  readonly rule: ModelRule;
  readonly wants: fc.Arbitrary<Want>;
  readonly changes: readonly Change[];
  /** Whether of all tasks of a process that want one of so many names only the first stands in line. */
  queuesLocally(names: number): boolean;
  /** Nobody else holds at the same time. */
  isExclusive(want: Want): boolean;
  acquire(conclave: Conclave, want: Want, wait: WaitFor): Promise<Hold>;
  tryAcquire(conclave: Conclave, want: Want, options: Pick<WaitFor, 'signal'>): Promise<Hold | undefined>;
}

const names = ['a', 'b', 'c'] as const;
/** Mostly the same one, or nobody would ever wait. */
const oneName = fc.oneof(
  { weight: 4, arbitrary: fc.constant('a') },
  { weight: 1, arbitrary: fc.constant('b') },
);

export const mutex: Kind = {
  name: 'mutex',
  folder: 'lock',
  rule: oneAtATime,
  wants: oneName.map((name) => ({ names: [name] })),
  changes: [],
  queuesLocally: () => true,
  isExclusive: () => true,
  acquire: (conclave, want, { signal, ...wait }) =>
    conclave.mutex(nameOf(want)).acquire({ signal, ...given(wait) }),
  tryAcquire: (conclave, want, options) => conclave.mutex(nameOf(want)).tryAcquire(options),
};

/** Together with mutexes of the same names. */
export const multiLock: Kind = {
  ...mutex,
  name: 'multiLock',
  queuesLocally: (count) => count === 1,
  wants: fc.shuffledSubarray([...names], { minLength: 1 }).map((chosen) => ({ names: chosen })),
  acquire: (conclave, want, { signal, ...wait }) =>
    exclusiveLock(conclave, want).acquire({ signal, ...given(wait) }),
  tryAcquire: (conclave, want, options) => exclusiveLock(conclave, want).tryAcquire(options),
};

function exclusiveLock(
  conclave: Conclave,
  { names: [first = '', ...others] }: Want,
): ReturnType<Conclave['multiLock']> | ReturnType<Conclave['mutex']> {
  return others.length > 0 ? conclave.multiLock([first, ...others]) : conclave.mutex(first);
}

export const rwLock: Kind = {
  name: 'rwLock',
  folder: 'rw',
  rule: readersTogether,
  wants: fc.record({
    names: oneName.map((name) => [name]),
    mode: fc.constantFrom('read', 'write'),
  }),
  changes: ['downgrade', 'upgrade'],
  queuesLocally: () => false,
  isExclusive: ({ mode }) => mode === 'write',
  acquire: (conclave, want, { signal, ...wait }) =>
    conclave.rwLock(nameOf(want))[want.mode ?? 'read'].acquire({ signal, ...given(wait) }),
  tryAcquire: (conclave, want, options) =>
    conclave.rwLock(nameOf(want))[want.mode ?? 'read'].tryAcquire(options),
};

/** Of a semaphore whose limit somebody has set before. */
export const firstLimit = 3;

export const semaphore: Kind = {
  name: 'semaphore',
  folder: 'semaphore',
  rule: asManyAsFit,
  wants: fc.record({
    names: oneName.map((name) => [name]),
    permits: fc.constantFrom(1, 1, 1, 2, 2, 2, 3),
    limit: fc.oneof(
      { weight: 14, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant(4) },
    ),
  }),
  changes: [],
  queuesLocally: () => false,
  isExclusive: () => false,
  acquire: (conclave, want, { signal, ...wait }) =>
    semaphoreFor(conclave, want).acquire({ permits: want.permits ?? 1, signal, ...given(wait) }),
  tryAcquire: (conclave, want, options) =>
    semaphoreFor(conclave, want).tryAcquire({ permits: want.permits ?? 1, ...options }),
};

function semaphoreFor(conclave: Conclave, want: Want): ReturnType<Conclave['semaphore']> {
  return conclave.semaphore(nameOf(want), want.limit === undefined ? {} : { limit: want.limit });
}

export const election: Kind = {
  name: 'election',
  folder: 'election',
  rule: oneAtATime,
  wants: fc.record({
    names: oneName.map((name) => [name]),
    priority: fc.constantFrom(undefined, undefined, 1, 2),
  }),
  changes: ['proclaim', 'transfer'],
  queuesLocally: () => false,
  isExclusive: () => true,
  acquire: (conclave, want, { signal, ...wait }) =>
    conclave
      .election(nameOf(want))
      .campaign('0', { signal, ...given(wait), ...given({ priority: want.priority }) }),
  tryAcquire: (conclave, want, { signal }) =>
    conclave
      .election(nameOf(want))
      .campaign('0', { signal, timeoutMs: 0, ...given({ priority: want.priority }) })
      .catch((error: unknown) => {
        if (isConclaveError(error, 'WAIT_TIMEOUT')) return undefined;
        throw error;
      }),
};

function nameOf({ names: [name = ''] }: Want): string {
  return name;
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what is undefined. */
function given<T extends object>(options: T): Given<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;
}
