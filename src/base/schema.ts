import { InvalidValueError, type ValueIssue } from './errors.js';

/**
 * Describes and checks values, as every library does that follows Standard Schema, version 1 (zod, valibot, arktype and
 * others; https://standardschema.dev): pass a schema of any of them where one is asked for.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    /** The library's name. */
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the compiler only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What `validate` of a schema answers: the value, perhaps changed, or what is wrong with it. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. */
export type InferInput<Schema extends StandardSchema> = Types<Schema>['input'];
/** What a schema gives: may differ, by defaults and conversions. */
export type InferOutput<Schema extends StandardSchema> = Types<Schema>['output'];
type Types<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>;

/** Issues that a message names: a long list of thousands would fail in each. */
const namedIssues = 3;

/** @returns the schema @throws TypeError unless it follows Standard Schema, version 1 */
export function checkSchema<Schema extends StandardSchema>(schema: Schema, what: string): Schema {
  const standard = standardOf(schema);
  if (!isObject(standard) || !('validate' in standard)) {
    throw new TypeError(`${what} must be a Standard Schema (of zod, valibot, arktype...)`);
  }
  const { version, validate } = standard as { readonly version?: unknown; readonly validate: unknown };
  if (version !== 1) throw new TypeError(`${what}: Standard Schema version ${String(version)} is not known`);
  if (typeof validate !== 'function') throw new TypeError(`${what}: its validate is no function`);
  return schema;
}

/**
 * The value as the schema gives it, whether that checks at once or later.
 *
 * @param what for the message: `job "17"`
 * @throws InvalidValueError if the schema refuses the value, or throws (its error is the `cause`)
 */
export async function validate<Schema extends StandardSchema>(
  schema: Schema,
  value: unknown,
  what: string,
): Promise<InferOutput<Schema>> {
  return validateAtOnce(schema, value, what);
}

/** The same: at once if the schema checks at once, else later. @throws as `validate` */
export function validateAtOnce<Schema extends StandardSchema>(
  schema: Schema,
  value: unknown,
  what: string,
): InferOutput<Schema> | Promise<InferOutput<Schema>> {
  const failed = (error: unknown): never => {
    const issue = { message: error instanceof Error ? error.message : String(error) };
    throw new InvalidValueError(`${what} cannot be checked: ${describe([issue])}`, [issue], { cause: error });
  };
  let result: ReturnType<StandardSchema['~standard']['validate']>;
  try {
    result = schema['~standard'].validate(value);
  } catch (error) {
    return failed(error);
  }
  const taken = (answer: SchemaResult<unknown>): InferOutput<Schema> => {
    if (!isObject(answer)) return failed(new TypeError('the schema has answered nothing'));
    return outputOf(answer, what);
  };
  return isObject(result) && 'then' in result
    ? Promise.resolve(result).catch(failed).then(taken)
    : taken(result);
}

function outputOf(result: SchemaResult<unknown>, what: string): unknown {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(toIssue);
  throw new InvalidValueError(`${what} is not valid: ${describe(issues)}`, issues);
}

/** Some libraries make their schemas functions. */
function standardOf(schema: unknown): unknown {
  if (!isObject(schema) && typeof schema !== 'function') return undefined;
  return '~standard' in schema ? schema['~standard'] : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Keys only: some libraries put the whole value, secrets included, on the path. */
function toIssue({ message, path }: SchemaIssue): ValueIssue {
  const keys = path?.map((segment) => (typeof segment === 'object' ? segment.key : segment));
  return keys && keys.length > 0 ? { message, path: keys } : { message };
}

function describe(issues: readonly ValueIssue[]): string {
  if (issues.length === 0) return 'no reason given';
  const named = issues.slice(0, namedIssues).map(({ message, path }) => {
    return path ? `${pathText(path)}: ${message}` : message;
  });
  const others = issues.length - named.length;
  return named.join('; ') + (others > 0 ? `; and ${others} more` : '');
}

/** As one would write it: `items[0].price`. */
function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => {
    if (typeof key === 'string' && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)) return `.${key}`;
    return `[${typeof key === 'string' ? JSON.stringify(key) : String(key)}]`;
  });
  return text.join('').replace(/^\./, '');
}
