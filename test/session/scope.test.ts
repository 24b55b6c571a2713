import { expect, it } from 'vitest';

import { grantedHere, runUnder } from '../../src/session/scope.js';

it('a callback that starts the next one, which starts the next one, does not remember them all', () => {
  let asked = 0;
  const gone = (): undefined => {
    asked++;
  };
  const oneAfterTheOther = (callbacks: number): void => {
    if (callbacks > 0) return runUnder(gone, () => oneAfterTheOther(callbacks - 1));
    asked = 0;
    expect(grantedHere()).toEqual([]);
  };

  oneAfterTheOther(1_000);

  expect(asked).toBe(1);
});
