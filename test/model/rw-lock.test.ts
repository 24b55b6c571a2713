import { expect, it } from 'vitest';
import { rwLock } from './kinds.js';
import { findCounterexample, propertyTimeoutMs } from './property.js';

const further = [
  'acquire: RESOURCE_EXHAUSTED',
  'line.compacted',
  'downgrade: granted',
  'upgrade: granted',
  'upgrade: done',
];

it(
  'a read/write lock keeps to its model, with sessions, answers and processes lost at any step',
  { timeout: propertyTimeoutMs },
  async () => {
    expect(await findCounterexample(rwLock, further)).toBe('');
  },
);
