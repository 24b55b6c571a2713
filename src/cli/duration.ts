import { exitStatus, Failure } from './failure.js';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** What a Node timer can wait. */
const longestMs = 2 ** 31 - 1;

/**
 * `500ms`, `15s`, `1.5m`, `2h`, or `0`. A number without a unit is refused: the library counts milliseconds, most
 * programs seconds, and a lock is a bad place to find out which.
 *
 * @returns milliseconds
 */
export function parseDuration(text: string, option: string): number {
  if (text === '0') return 0;
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  if (digits === undefined) throw new Failure(exitStatus.usage, `${option}: ${complaint(text)}`);
  const ms = Number(digits) * (unitMs[unit] ?? NaN);
  if (!Number.isInteger(ms) || ms > longestMs) {
    throw new Failure(
      exitStatus.usage,
      `${option}: ${text} is not between 0 and 24 days in whole milliseconds`,
    );
  }
  return ms;
}

function complaint(text: string): string {
  return /^\d+(\.\d+)?$/.test(text)
    ? `${text} has no unit: write ${text}s or ${text}ms`
    : `${JSON.stringify(text)} is no duration: write for example 500ms, 15s or 2m`;
}
