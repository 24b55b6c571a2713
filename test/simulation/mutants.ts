import { barrierMutants } from './mutants/barriers.js';
import { electionMutants } from './mutants/elections.js';
import { leaseMutants } from './mutants/leases.js';
import { lineMutants } from './mutants/lines.js';
import type { Mutant } from './mutants/mutant.js';
import { queueMutants } from './mutants/queues.js';
import { ticketMutants } from './mutants/tickets.js';

/** Bugs that the simulation finds: a guard without a mutant here is one that nobody has seen at work under faults. */
export const mutants: readonly Mutant[] = [
  ...leaseMutants,
  ...ticketMutants,
  ...lineMutants,
  ...electionMutants,
  ...barrierMutants,
  ...queueMutants,
];
