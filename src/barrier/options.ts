import { checkOptions } from '../base/wait.js';
import { checkNumber } from './check-number.js';

export interface BarrierOptions {
  /** How many have to come, from 1 to 1000; the same for all who use the barrier. */
  readonly parties: number;
}

/** Each who waits is told of each who comes. */
const mostParties = 1_000;

/** @throws TypeError, RangeError */
export function checkParties(options: BarrierOptions): number {
  checkOptions(options, ['parties'], 'barrier');
  return checkNumber(options.parties, 'parties', mostParties);
}
