/**
 * Which tickets of a line may hold together. Each kind of lock is a matter of weights: those of all holders are within the
 * capacity. A ticket may pass when its weight and those of all older ones are: none overtakes.
 */
export interface LockKind {
  readonly name: 'mutex' | 'read/write lock' | 'semaphore' | 'election';
  readonly capacity: number;
  /** @param wish what was asked for, or what is written on the ticket */
  weightOf(wish: Wish): number;
}

export interface Wish {
  readonly mode?: unknown;
  /** As workloads say it. */
  readonly permits?: unknown;
  /** As tickets say it. */
  readonly weight?: unknown;
}

/** More readers than there will ever be. */
const everybody = 2 ** 30;

export const mutex: LockKind = { name: 'mutex', capacity: 1, weightOf: () => 1 };

export const election: LockKind = { name: 'election', capacity: 1, weightOf: () => 1 };

export const rwLock: LockKind = {
  name: 'read/write lock',
  capacity: everybody,
  weightOf: ({ mode }) => (mode === 'read' ? 1 : everybody),
};

export function semaphore(capacity: number): LockKind {
  return {
    name: 'semaphore',
    capacity,
    weightOf: ({ permits, weight }) => Number(permits ?? weight ?? 1),
  };
}
