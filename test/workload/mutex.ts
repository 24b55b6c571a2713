import { get, put } from '../../src/index.js';
import type { Violation } from '../history/record.js';
import type { Workload } from './workload.js';

const name = 'm';
/** Outside of the namespace: what the lock protects. */
const register = 'app/m';

/** A register under a mutex: read and written only under its fence. */
export const mutex: Workload = {
  name: 'mutex',

  async turn(desk) {
    const { random, signal, conclave } = desk;
    const timeoutMs = random.next() < 0.2 ? Math.floor(random.between(0, 500)) : undefined;
    const hold = await desk.call(
      'acquire',
      name,
      {},
      () => conclave.mutex(name).acquire({ signal, ...(timeoutMs !== undefined && { timeoutMs }) }),
      ({ key, fencingToken }) => ({ key, token: Number(fencingToken) }),
    );
    desk.claim(name, hold);
    const held = { key: hold.key, token: Number(hold.fencingToken) };
    try {
      for (let writes = Math.floor(random.between(0, 3)); writes > 0; writes--) {
        await desk.pause(random.between(0, 400));
        const value = JSON.stringify({ token: held.token, client: desk.name });
        await desk.call(
          'write',
          name,
          held,
          () => hold.commit([get(register), put(register, value)]),
          ({ header }) => ({ revision: Number(header.revision) }),
        );
      }
    } finally {
      await desk.call('release', name, held, () => hold.release()).catch(() => {});
    }
  },

  judge: (): readonly Violation[] => [],
};
