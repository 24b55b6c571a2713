import { once } from 'node:events';
import type { Workload } from '../../workload/workload.js';
import type { RealDesk } from '../loads.js';

export const manyLocks = 50;
export const nameOf = (index: number): string => `lock-${index}`;

/** Takes 50 locks, and gives back none: they are held until the client closes. */
export const holdMany: Workload = {
  name: 'many-locks',
  async turn(desk) {
    const { conclave, signal } = desk;
    const names = Array.from({ length: manyLocks }, (_, i) => nameOf(i));
    await Promise.all(names.map((name) => conclave.mutex(name).acquire({ signal })));
    (desk as RealDesk).probe('use.begin');
    if (!signal.aborted) await once(signal, 'abort');
  },
  judge: () => [],
};
