import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { report } from '../../src/base/diagnostics.js';
import { ClosedError, isConclaveError, UnavailableError } from '../../src/base/errors.js';

describe('an error of the library', () => {
  const cause = new Error('why');
  const error = new UnavailableError('away', { cause });

  it('has the name of its class, its code and its cause', () => {
    expect(error).toMatchObject({ name: 'UnavailableError', code: 'UNAVAILABLE', message: 'away', cause });
  });

  it('is told from others, by its kind too', () => {
    expect(isConclaveError(error)).toBe(true);
    expect(isConclaveError(error, 'UNAVAILABLE')).toBe(true);
    expect(isConclaveError(error, 'CLOSED')).toBe(false);
    for (const other of [cause, null, undefined, 'UNAVAILABLE', { code: 'UNAVAILABLE' }])
      expect(isConclaveError(other)).toBe(false);
  });

  it('is recognised when it comes from another copy of the library', () => {
    const foreign = Object.assign(new Error('x'), { code: 'CLOSED', [Symbol.for('conclave.error')]: true });
    expect(foreign).not.toBeInstanceOf(ClosedError);
    expect(isConclaveError(foreign, 'CLOSED')).toBe(true);
  });
});

describe('a diagnostic event', () => {
  it('is computed only when somebody listens', () => {
    const name = 'conclave:event-loop-lag';
    const heard: unknown[] = [];
    const listener = (message: unknown): void => void heard.push(message);
    const payload = (): { lagMs: number } => ({ lagMs: 7 });
    report(name, () => {
      throw new Error('computed for nobody');
    });
    subscribe(name, listener);
    report(name, payload);
    unsubscribe(name, listener);
    report(name, payload);
    expect(heard).toEqual([{ lagMs: 7 }]);
  });
});
