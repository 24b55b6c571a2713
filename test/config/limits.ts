import type { SchemaResult, StandardSchema } from '../../src/index.js';

/** What the tests configure. */
export interface Limits {
  readonly rate: number;
  readonly burst: number;
}

/** As stored: the burst may be left out. */
export interface LimitsInput {
  readonly rate: number;
  readonly burst?: number;
}

function check(value: unknown): SchemaResult<Limits> {
  if (typeof value !== 'object' || value === null) return { issues: [{ message: 'expected an object' }] };
  const { rate, burst = 1 } = value as Partial<Limits>;
  if (typeof rate !== 'number') return { issues: [{ message: 'expected a number', path: ['rate'] }] };
  return { value: { rate, burst } };
}

/** Checks at once. */
export const limits: StandardSchema<LimitsInput, Limits> = {
  '~standard': { version: 1, vendor: 'test', validate: check },
};

/** Checks later. */
export const limitsLater: StandardSchema<LimitsInput, Limits> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => Promise.resolve().then(() => check(value)),
  },
};
