import { setTimeout as delay } from 'node:timers/promises';
import { MissedError, type Nemesis } from './nemesis/nemesis.js';
import { pick, range } from './nemesis/targets.js';
import type { Stage } from './stage.js';

/** Points at which a client that stops or dies does the most harm. */
export const tender: readonly string[] = [
  'session.granted',
  'ticket.take',
  'ticket.taken',
  'ticket.waiting',
  'hold.granted',
  'hold.release',
  'keep-alive.send',
  'line.watching',
];

/** How long a client may take to come to a point. */
const patienceMs = 3_000;

/** Faults that a client does to itself when it passes a point: `a client killed at hold.granted`. */
export function aimedNemeses(stage: Stage): readonly Nemesis[] {
  return [...tender.flatMap((probe) => [stopped(stage, probe), killed(stage, probe)]), jumping(stage)];
}

const aimed = /^a client (killed|stopped) at (\S+)$/;
const jump = 'the wall clock of a client jumps';

/** How their names are written. */
export const aimedNames: readonly string[] = ['a client killed at POINT', 'a client stopped at POINT', jump];

export function isAimed(name: string): boolean {
  return aimed.test(name) || name === jump;
}

/** The one of this name, at whatever point. */
export function aimedNemesis(stage: Stage, name: string): Nemesis | undefined {
  const [, act, probe] = aimed.exec(name) ?? [];
  if (probe === undefined) return undefined;
  return act === 'killed' ? killed(stage, probe) : stopped(stage, probe);
}

function stopped(stage: Stage, probe: string): Nemesis {
  return {
    name: `a client stopped at ${probe}`,
    needs: [],
    async begin({ rig }, random) {
      const player = stage.player(pick(random, range(rig.clients)));
      player.aim({ probe, nth: 1, act: 'stop' });
      if (!(await player.stopped(patienceMs))) {
        await player.disarm(); // or it would stop when nobody resumes it
        throw new MissedError(`${player.name} has not come by ${probe}`);
      }
      return async () => player.resume();
    },
  };
}

function killed(stage: Stage, probe: string): Nemesis {
  return {
    name: `a client killed at ${probe}`,
    needs: [],
    async begin({ rig }, random) {
      const player = stage.player(pick(random, range(rig.clients)));
      player.aim({ probe, nth: 1, act: 'kill' });
      await Promise.race([player.launched.ended, delay(patienceMs, undefined, { ref: false })]);
      await player.disarm(); // or it would die when nobody takes its place
      if (player.launched.isRunning) throw new MissedError(`${player.name} has not come by ${probe}`);
      return () => stage.revive(player.place);
    },
  };
}

const jumpMs = 30_000;

/** To another time, and back in the end. */
function jumping(stage: Stage): Nemesis {
  return {
    name: jump,
    needs: [],
    async begin({ rig }, random) {
      const player = stage.player(pick(random, range(rig.clients)));
      player.jump(Math.round(random.between(-jumpMs, jumpMs)));
      return async () => player.jump(0);
    },
  };
}
