import { describe } from 'vitest';
import { Stage } from '../lock/stage.js';
import type { Backend } from '../store/contract.js';
import { controlContract } from './control.contract.js';
import { deliveryContract } from './delivery.contract.js';
import { endsContract } from './ends.contract.js';
import { enqueueContract } from './enqueue.contract.js';
import { workContract } from './work.contract.js';

/** What a queue of jobs promises, whatever it runs on. */
export function queueContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);
  describe('enqueue', () => enqueueContract(stage));
  describe('a delivery', () => deliveryContract(stage));
  describe('work', () => workContract(stage));
  describe('a queue', () => controlContract(stage));
  describe('the end of a job', () => endsContract(stage));
}
