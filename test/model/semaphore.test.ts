import { expect, it } from 'vitest';
import { semaphore } from './kinds.js';
import { findCounterexample, propertyTimeoutMs } from './property.js';

const further = ['acquire: CONFLICT', 'try: CONFLICT', 'resize: done'];

it(
  'a semaphore keeps to its model, with sessions, answers and processes lost at any step',
  { timeout: propertyTimeoutMs },
  async () => {
    expect(await findCounterexample(semaphore, further)).toBe('');
  },
);
