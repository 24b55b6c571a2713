import { type Conclave, fromKey, isConclaveError, prefix, range, type RangeLike } from '../index.js';
import { type Arguments, parse, wrongUsage } from './arguments.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { asUsage, open } from './opening.js';
import { Interrupted, Signals, statusOfSignal } from './signals.js';

export type KvArguments = Pick<Arguments, 'store' | 'isJson' | 'own'> & {
  readonly operands: readonly string[];
};

/** What stands for more than one key. */
export const rangeOptions = {
  prefix: { type: 'boolean' },
  'from-key': { type: 'boolean' },
  end: { type: 'string' },
} as const;

export const rangeHelp: string = `  --prefix              all keys that begin with KEY; all there are if it is ''
  --from-key            all keys from KEY on
  --end END             all keys from KEY up to but without END`;

/** @throws Failure for what cannot be understood */
export function parseKv(
  args: readonly string[],
  { usage, least, most }: { readonly usage: string; readonly least: number; readonly most: number },
  ownOptions: Parameters<typeof parse>[1] = {},
): KvArguments {
  const { store, isJson, positionals: operands, own } = parse(args, ownOptions);
  if (operands.length < least)
    throw wrongUsage(operands.length === 0 ? 'a key is missing' : 'a value is missing', usage);
  const [tooMuch] = operands.slice(most);
  if (tooMuch !== undefined) throw wrongUsage(`${JSON.stringify(tooMuch)} is too much`, usage);
  return { store, isJson, own, operands };
}

/** The key, or the range that the options make of it. @throws Failure */
export function parseTarget({ operands, own }: KvArguments, usage: string): RangeLike {
  const [key = ''] = operands;
  const { prefix: isPrefix, 'from-key': isFrom, end } = own;
  if ([isPrefix, isFrom, end].filter((option) => option !== undefined).length > 1)
    throw wrongUsage('--prefix, --from-key and --end exclude each other', usage);
  try {
    if (isPrefix) return prefix(key);
    if (key === '') throw wrongUsage('the key is empty', usage);
    if (isFrom) return fromKey(key);
    return typeof end === 'string' ? range(key, end) : key;
  } catch (error) {
    throw asUsage(error);
  }
}

/** @throws Failure unless it is a whole number; with `0x` before it, hexadecimal, as etcdctl shows leases */
export function parseNumber(digits: string, option: string): bigint {
  if (/^(\d+|0x[0-9a-f]+)$/i.test(digits)) return BigInt(digits);
  throw new Failure(
    exitStatus.usage,
    `${option}: ${JSON.stringify(digits)} is not a whole number, 0 or more`,
  );
}

/** @returns 0n without it */
export function numberOption({ own }: KvArguments, name: string): bigint {
  const value = own[name];
  return typeof value === 'string' ? parseNumber(value, `--${name}`) : 0n;
}

/**
 * Opens the store for as long as `use` takes.
 *
 * @returns what `use` does, or the status of a signal
 */
export async function withStore(
  { store }: Pick<KvArguments, 'store'>,
  use: (store: Conclave['store'], interruption: AbortSignal) => Promise<number>,
): Promise<number> {
  const conclave = await open(store);
  const interruption = new AbortController();
  using signals = new Signals((signal) => interruption.abort(new Interrupted(signal)));
  try {
    return await use(conclave.store, interruption.signal);
  } catch (error) {
    if (error instanceof Interrupted) return statusOfSignal(error.signalName);
    throw asFailure(error);
  } finally {
    signals.handTo((signal) => process.exit(statusOfSignal(signal)));
    await conclave.close();
  }
}

/** What the store refuses because of what it was asked for is the caller's mistake. */
function asFailure(error: unknown): unknown {
  const status = isConclaveError(error) ? statuses[error.code] : undefined;
  return status === undefined ? asUsage(error) : new Failure(status, oneLine(error), { cause: error });
}

const statuses: Readonly<Record<string, number>> = {
  INVALID_REQUEST: exitStatus.usage,
  NOT_FOUND: exitStatus.missing,
  COMPACTED: exitStatus.missing,
  FUTURE_REVISION: exitStatus.missing,
};
