import { expect, it } from 'vitest';
import { mutex } from './kinds.js';
import { findCounterexample, propertyTimeoutMs } from './property.js';

const further = ['acquire: RESOURCE_EXHAUSTED', 'line.compacted', 'ticket.requeued'];

it(
  'a mutex keeps to its model, with sessions, answers and processes lost at any step',
  { timeout: propertyTimeoutMs },
  async () => {
    expect(await findCounterexample(mutex, further)).toBe('');
  },
);
