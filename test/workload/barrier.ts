import { type Evidence, type Workload } from './workload.js';
import { judgeRounds } from './rounds.js';
import { patience } from './patience.js';

const name = 'b';
const size = 3;

/** Rounds of a cyclic barrier: of more parties than a round has, the first ones pass. */
export const barrier: Workload = {
  name: 'barrier',
  clients: size,
  sometimes: ['enter: WAIT_TIMEOUT', 'enter: BROKEN_BARRIER', 'enter: SESSION_LOST', 'barrier.proposed'],

  async turn(desk) {
    const { random, signal, conclave } = desk;
    await desk.call(
      'enter',
      name,
      { size },
      () => conclave.cyclicBarrier(name, { parties: size }).wait({ signal, timeoutMs: patience(random) }),
      ({ round, index }) => ({ generation: Number(round), index }),
    );
  },

  judge: (evidence: Evidence) => judgeRounds(evidence, { kind: 'cyclic', name, size }),
};
