import type { Evidence, Workload } from './workload.js';
import { judgeRounds } from './rounds.js';
import { patience } from './patience.js';

const name = 'd';

export const doubleBarrier: Workload = roundsOf('double-barrier', 3);

/** Rounds of a double barrier: in together, out together. Of more parties than a round has, some are refused. */
export function roundsOf(workload: string, size: number): Workload {
  return {
    name: workload,
    clients: size,
    sometimes: [
      'enter: WAIT_TIMEOUT',
      'enter: BROKEN_BARRIER',
      'enter: CONFLICT',
      'leave: BROKEN_BARRIER',
      'leave: SESSION_LOST',
      'lost',
    ],

    async turn(desk) {
      const { random, signal, conclave } = desk;
      const barrier = conclave.doubleBarrier(name, { parties: size });
      const pass = await desk.call(
        'enter',
        name,
        { size },
        () => barrier.enter({ signal, timeoutMs: patience(random) }),
        ({ round, index }) => ({ generation: Number(round), index }),
      );
      const generation = Number(pass.round);
      const lost = (): void => desk.note('lost', name, { key: pass.key, generation });
      pass.signal.addEventListener('abort', lost, { once: true });
      if (random.next() < 0.5) await desk.pause(random.between(0, 300));
      await desk.call('leave', name, { generation, size }, () =>
        pass.leave({ signal, timeoutMs: patience(random) }),
      );
    },

    judge: (evidence: Evidence) => judgeRounds(evidence, { kind: 'double', name, size }),
  };
}
