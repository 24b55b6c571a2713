import { expect, it } from 'vitest';
import { parseDuration } from '../../src/cli/duration.js';

it.each([
  ['0', 0],
  ['500ms', 500],
  ['15s', 15_000],
  ['1.5s', 1_500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['0s', 0],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text, '--ttl')).toBe(ms);
});

it.each(['15', '1.5'])('%s is refused, since its unit can only be guessed', (text) => {
  expect(() => parseDuration(text, '--ttl')).toThrow(
    `--ttl: ${text} has no unit: write ${text}s or ${text}ms`,
  );
});

it.each(['', 's', '-1s', '1 s', '1d', 'Infinity', '1e3s', '0x10s'])('%j is no duration', (text) => {
  expect(() => parseDuration(text, '--timeout')).toThrow('write for example 500ms, 15s or 2m');
});

it.each(['0.5ms', '600h'])('%s is more, or finer, than a timer can wait', (text) => {
  expect(() => parseDuration(text, '--timeout')).toThrow('not between 0 and 24 days');
});
