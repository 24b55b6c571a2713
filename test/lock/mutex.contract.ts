import { describe } from 'vitest';
import type { Backend } from '../store/contract.js';
import { lockContract } from './lock.contract.js';
import { Stage } from './stage.js';

/** What a mutex promises, whatever it runs on; what concerns tasks of one process is in `lifetimes.test.ts`. */
export function mutexContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);
  const standing = async ({ one }: Stage, place: Parameters<typeof one.mutex>[0]): Promise<number> => {
    const { holder, waiters } = await one.mutex(place).inspect();
    return (holder ? 1 : 0) + waiters.length;
  };

  describe('a mutex', () =>
    lockContract(stage, {
      of: (conclave, place) => conclave.mutex(place),
      standing: (_, place) => standing(stage, place),
    }));

  describe('a mutex with a lock delay', () =>
    lockContract(stage, {
      of: (conclave, place) => conclave.mutex(place, { lockDelayMs: 20 }),
      standing: (_, place) => standing(stage, place),
    }));
}
