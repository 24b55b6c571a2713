import { permitsOf } from '../../workload/semaphore.js';
import type { Workload } from '../../workload/workload.js';

/** Five permits, of whatever many; and one more semaphore, of two. */
export const permitsOfFive: Workload = { name: 'permits-of-five', ...permitsOf({ s: 5, t: 2 }) };
