import { parseArgs, type ParseArgsConfig } from 'node:util';

/** The usual status for a command line that makes no sense. */
const usageStatus = 64;

/** Ends the process with a line for people: a mistake on the command line has no stack. */
export function orUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    console.error(error.message);
    process.exit(usageStatus);
  }
}

/** As `parseArgs`, but what it does not know ends the process. */
export function argumentsOf<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  return orUsage(() => parseArgs(config));
}

/** @throws RangeError unless it is a number, from `least` on (0); `isWhole`: without a fraction */
export function numberOf(
  option: string,
  text: string,
  { isWhole = false, least = 0 }: { isWhole?: boolean; least?: number } = {},
): number {
  const number = text.trim() === '' ? NaN : Number(text);
  if (number >= least && (isWhole ? Number.isSafeInteger(number) : Number.isFinite(number))) return number;
  const kind = `${isWhole ? 'whole ' : ''}number${least > 0 ? ` from ${least} on` : ''}`;
  throw new RangeError(`--${option} takes a ${kind}, got ${JSON.stringify(text)}`);
}

/** @throws RangeError unless it is one of these */
export function oneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((each) => each === text);
  if (found !== undefined) return found;
  throw new RangeError(`--${option} takes ${known.join(' or ')}, got ${JSON.stringify(text)}`);
}
