/** All points that the code of the library passes in some workload (docs/testing.md): where faults are aimed. */
export const probes = [
  'session.granted',
  'session.recovered',
  'keep-alive.send',
  'ticket.take',
  'ticket.taken',
  'take.found',
  'take.dead',
  'ticket.waiting',
  'ticket.requeued',
  'ticket.rewritten',
  'line.watching',
  'line.filled',
  'line.compacted',
  'delay.waiting',
  'hold.granted',
  'hold.release',
  'once.send',
  'once.done',
  'barrier.propose',
  'barrier.proposed',
  'barrier.waiting',
  'barrier.withdrawn',
  'queue.claim',
  'queue.claimed',
  'queue.settled',
  'queue.orphans',
  'queue.reclaimed',
  'queue.promoted',
] as const;

/** Those of what no workload uses. */
export const otherProbes = ['queue.fire', 'queue.fired', 'recipe.watching', 'shards.planned'] as const;

/** Those that a workload may pass. */
export function probesOf(workload: string): readonly string[] {
  return probes.filter((probe) =>
    ['barrier', 'queue'].every((part) => !probe.startsWith(`${part}.`) || workload.endsWith(part)),
  );
}
