import { checkSchema, type StandardSchema } from '../base/schema.js';
import { checkOptions } from '../base/wait.js';

export interface ConfigOptions<Schema extends StandardSchema = StandardSchema, Fallback = unknown> {
  /** Checks what is stored, whoever stored it, and what is to be stored. @default anything that JSON can carry */
  readonly schema?: Schema;
  /** What counts as long as nothing is stored that can be used, as it would be stored. @default nothing: then `ready` rejects */
  readonly fallback?: Fallback;
}

export interface SettingsOptions<Schema extends StandardSchema = StandardSchema> {
  /** Checks each setting by itself. @default anything that JSON can carry */
  readonly schema?: Schema;
}

export interface ReadOptions {
  /** Ends it with the signal's own reason. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws TypeError */
export function checkConfigOptions(options: ConfigOptions, known: readonly string[], what: string): void {
  checkOptions(options, known, what);
  if (options.schema !== undefined) checkSchema(options.schema, `${what}: schema`);
}

/** @returns the signal @throws TypeError; the signal's reason if it has aborted */
export function checkReadOptions(options: ReadOptions, what: string): AbortSignal | undefined {
  checkOptions(options, ['signal'], what);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError(`${what}: signal must be an AbortSignal`);
  signal?.throwIfAborted();
  return signal;
}
