import { type Probe, probes as all } from '../../src/base/probes.js';

/** Those of what no workload uses. */
const otherProbes: readonly Probe[] = ['queue.fire', 'queue.fired', 'recipe.watching', 'shards.planned'];

/** The points that the code of the library passes in some workload: where faults are aimed. Seeds draw from them in this order. */
export const probes: readonly Probe[] = all.filter((probe) => !otherProbes.includes(probe));

/** Those that a workload may pass. */
export function probesOf(workload: string): readonly Probe[] {
  return probes.filter((probe) =>
    ['barrier', 'queue'].every((part) => !probe.startsWith(`${part}.`) || workload.endsWith(part)),
  );
}
