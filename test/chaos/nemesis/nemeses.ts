import type { Random } from '../../../src/testing/random.js';
import type { Rig } from '../rig/rig.js';
import { diskNemeses } from './disk.js';
import { maintenanceNemeses } from './maintenance.js';
import { lackOf, type Nemesis } from './nemesis.js';
import { networkNemeses } from './network.js';
import { processNemeses } from './processes.js';
import { pick } from './targets.js';

/** Every fault there is. */
export const nemeses: readonly Nemesis[] = [
  ...networkNemeses,
  ...processNemeses,
  ...diskNemeses,
  ...maintenanceNemeses,
];

/** @throws RangeError if there is none of this name */
export function nemesisNamed(name: string): Nemesis {
  const found = nemeses.find((each) => each.name === name);
  if (!found) throw new RangeError(`there is no nemesis '${name}'`);
  return found;
}

/** Those that can begin with this rig. */
export function possibleNemeses(rig: Rig): readonly Nemesis[] {
  return nemeses.filter((each) => lackOf(each, rig) === undefined);
}

/** One of those that can begin with this rig, or of the given ones. */
export function drawNemesis(rig: Rig, random: Random, among: readonly Nemesis[] = nemeses): Nemesis {
  return pick(
    random,
    among.filter((each) => lackOf(each, rig) === undefined),
  );
}
