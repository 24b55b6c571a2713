import { expect, it } from 'vitest';

import { outcomeOf, toConclaveError } from '../../src/store/outcome.js';
import { TransportError } from '../../src/store/transport.js';

it('a refused login is not tried again, although its request was never sent', () => {
  const detail = 'etcdserver: authentication failed, invalid user ID or password';
  const refused = new TransportError('invalid-argument', detail, { neverSent: true });
  expect(outcomeOf(refused)).toBe('refused');
  expect(toConclaveError(refused, 'get "a"', false)).toMatchObject({ code: 'AUTH' });
});

it('what was never sent for any other reason is surely not done', () => {
  for (const status of ['unavailable', 'cancelled', 'deadline-exceeded', 'unknown'] as const) {
    expect(outcomeOf(new TransportError(status, 'x', { neverSent: true }))).toBe('not-done');
    expect(outcomeOf(new TransportError(status, 'x'))).toBe('unknown');
  }
});
