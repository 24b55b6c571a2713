import { expect, it } from 'vitest';
import { multiLock } from './kinds.js';
import { findCounterexample, propertyTimeoutMs } from './property.js';

const further = ['acquire: RESOURCE_EXHAUSTED', 'line.compacted', 'ticket.requeued'];

it(
  'multi-locks, and mutexes of the same names, keep to their model, with sessions, answers and processes lost at any step',
  { timeout: propertyTimeoutMs },
  async () => {
    expect(await findCounterexample(multiLock, further)).toBe('');
  },
);
