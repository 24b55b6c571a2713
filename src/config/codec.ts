import { isDeepStrictEqual } from 'node:util';
import { toText } from '../base/bytes.js';
import { InvalidValueError, isConclaveError, type StoredAt } from '../base/errors.js';
import { checkJson } from '../base/json.js';
import { type StandardSchema, validate, validateAtOnce } from '../base/schema.js';
import type { KeyValue } from '../store/results.js';

/** A value that may be used. */
export interface Good<T> {
  /** As the schema gives it. Frozen. */
  readonly value: T;
  /** As it is stored. */
  readonly json: unknown;
  /** Of the change that put it; 0n for a fallback. */
  readonly revision: bigint;
}

/** Between what is stored, plain JSON, and what programs use. */
export class Codec<T> {
  readonly #schema: StandardSchema | undefined;
  readonly #title: string;

  /** @param title for messages */
  constructor(schema: StandardSchema | undefined, title: string) {
    this.#schema = schema;
    this.#title = title;
  }

  /** @throws InvalidValueError if it is no JSON, or the schema refuses it */
  async read(kv: KeyValue): Promise<Good<T>> {
    const storedAt = { key: toText(kv.key), revision: kv.modRevision };
    const what = `${this.#title} (${storedAt.key}, revision ${storedAt.revision})`;
    try {
      const json = parse(kv.value, what);
      return { ...(await this.#check(json, what)), revision: kv.modRevision };
    } catch (error) {
      throw located(error, what, storedAt);
    }
  }

  /** @returns the value as it is stored @throws InvalidValueError; TypeError, RangeError if JSON cannot carry it */
  async encode(value: unknown): Promise<string> {
    const text = textOf(value);
    // As others will read it: a Date, for example, is a text by then.
    await this.#check(JSON.parse(text), `the value for ${this.#title}`);
    return text;
  }

  /** A fallback: at once, if the schema checks at once. @throws as `encode`, or rejects */
  fallback(value: unknown): Good<T> | Promise<Good<T>> {
    const json = JSON.parse(textOf(value)) as unknown;
    const good = (output: unknown): Good<T> => ({ ...frozen<T>(output, json), revision: 0n });
    if (!this.#schema) return good(json);
    const output = validateAtOnce(this.#schema, structuredClone(json), `the fallback of ${this.#title}`);
    return output instanceof Promise ? output.then(good) : good(output);
  }

  async #check(json: unknown, what: string): Promise<Omit<Good<T>, 'revision'>> {
    // What is compared later must not change with what the schema makes of it.
    const value = this.#schema ? await validate(this.#schema, structuredClone(json), what) : json;
    return frozen(value, json);
  }
}

/** As many levels as can be walked through and compared, wherever on the stack that is done. */
const mostLevels = 500;

/** Whether nothing has changed, whatever was written. */
export function isSame(one: Good<unknown>, other: Good<unknown>): boolean {
  return one === other || isDeepStrictEqual(one.json, other.json);
}

function textOf(value: unknown): string {
  return JSON.stringify(checkJson(value));
}

const decoder = new TextDecoder('utf-8', { fatal: true }); // and without a byte order mark, which editors leave

function parse(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(decoder.decode(bytes)) as unknown;
  } catch (error) {
    // Not the whole message: it quotes the value, which may be secret.
    const [where = ''] = / at position \d+/.exec(String(error)) ?? [];
    const issue = { message: `not JSON${where}` };
    throw new InvalidValueError(`${what} is not valid: ${issue.message}`, [issue]);
  }
}

function located(error: unknown, what: string, storedAt: StoredAt): InvalidValueError {
  if (isConclaveError(error, 'INVALID_VALUE'))
    return new InvalidValueError(error.message, error.issues, { cause: error.cause, storedAt });
  // Nested so deeply that it cannot be walked through.
  const issue = { message: String(error) };
  return new InvalidValueError(`${what} cannot be used: ${issue.message}`, [issue], {
    cause: error,
    storedAt,
  });
}

function frozen<T>(value: unknown, json: unknown): Omit<Good<T>, 'revision'> {
  return { value: freeze(value) as T, json: freeze(json) };
}

/** All readers share it: nobody may change it for the others. Objects of classes are left as they are. */
function freeze(value: unknown, levels = mostLevels): unknown {
  if (levels === 0) throw new RangeError(`it is nested more than ${mostLevels} levels deep`);
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part, levels - 1);
  return value;
}
