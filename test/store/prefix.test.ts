import { expect, it } from 'vitest';
import { prefix } from '../../src/store/operations.js';

it('leaves the bytes of a Buffer alone when it computes the end of a prefix', () => {
  const key = Buffer.from('jobs/');
  expect(prefix(key)).toEqual({ key, end: new TextEncoder().encode('jobs0') });
  expect(key.toString()).toBe('jobs/');
});
