import { expect, it } from 'vitest';
import { election } from './kinds.js';
import { findCounterexample, propertyTimeoutMs } from './property.js';

const further = [
  'acquire: RESOURCE_EXHAUSTED',
  'line.compacted',
  'ticket.requeued',
  'proclaim: done',
  'transfer: done',
];

it(
  'an election keeps to its model, with sessions, answers and processes lost at any step',
  { timeout: propertyTimeoutMs },
  async () => {
    expect(await findCounterexample(election, further)).toBe('');
  },
);
