import type { Candidate, Conclave, LineKind, Place, TicketInfo } from '../index.js';
import { primitive } from './opening.js';

/** Who stands in a line of any kind. */
export interface Standing {
  readonly kind: LineKind;
  /** Not of an election. */
  readonly revision?: bigint;
  /** Semaphore: null if none is set yet. */
  readonly limit?: number | null;
  /** Semaphore: permits taken. */
  readonly used?: number;
  /** Semaphore: more are taken than there are, since it was made smaller. */
  readonly isOverLimit?: boolean;
  readonly holders: readonly (TicketInfo | Candidate)[];
  /** In the order in which they will get it. */
  readonly waiters: readonly (TicketInfo | Candidate)[];
}

/** One read. @throws Failure for a bad name */
export async function standing(conclave: Conclave, kind: LineKind, place: Place): Promise<Standing> {
  switch (kind) {
    case 'mutex': {
      const { holder, ...state } = await primitive(() => conclave.mutex(place)).inspect();
      return { kind, ...state, holders: holder ? [holder] : [] };
    }
    case 'rwLock':
      return { kind, ...(await primitive(() => conclave.rwLock(place)).inspect()) };
    case 'semaphore': {
      const { limit = null, ...state } = await primitive(() => conclave.semaphore(place)).inspect();
      return { kind, ...state, limit };
    }
    case 'election': {
      const candidates = await primitive(() => conclave.election(place)).candidates();
      return { kind, holders: candidates.slice(0, 1), waiters: candidates.slice(1) };
    }
  }
}

/** Somebody stands there. */
export function isUsed({ holders, waiters }: Standing): boolean {
  return holders.length + waiters.length > 0;
}
