import { roundsOf } from '../../workload/double-barrier.js';
import type { Workload } from '../../workload/workload.js';

export const barrierOfEight: Workload = roundsOf('barrier-of-eight', 8);
