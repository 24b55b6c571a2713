import {
  compare,
  type Compare,
  type CompareResult,
  get,
  type Op,
  prefix,
  put,
  range,
  type RangeLike,
  remove,
} from '../index.js';
import { exitStatus, Failure, oneLine } from './failure.js';

export interface ParsedTxn {
  readonly if: readonly Compare[];
  readonly then: readonly Op[];
  readonly else: readonly Op[];
}

type Fields = Readonly<Record<string, unknown>>;

const operators: readonly CompareResult[] = ['=', '!=', '<', '>'];
const numberTargets = ['version', 'createRevision', 'modRevision', 'lease'] as const;
const rangeFields = ['prefix', 'end'];

/** @throws Failure naming the place of what cannot be understood: `then[1]` */
export function parseTxn(text: string): ParsedTxn {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Failure(exitStatus.usage, `the transaction is no JSON: ${oneLine(error)}`, { cause: error });
  }
  const parts = fieldsOf(json, 'the transaction');
  checkFields(parts, ['if', 'then', 'else'], 'the transaction');
  const list = <T>(name: string, read: (each: unknown, where: string) => T): readonly T[] => {
    const value = parts[name] ?? [];
    if (!Array.isArray(value)) throw wrong(name, 'is no list');
    return value.map((each: unknown, i) => explained(`${name}[${i}]`, (where) => read(each, where)));
  };
  return { if: list('if', readCondition), then: list('then', readOp), else: list('else', readOp) };
}

function readCondition(json: unknown, where: string): Compare {
  const fields = fieldsOf(json, where);
  const targets = ['value', ...numberTargets].filter((name) => name in fields);
  checkFields(fields, ['key', ...rangeFields, 'value', ...numberTargets], where);
  const [target] = targets;
  if (target === undefined || targets.length > 1)
    throw wrong(where, `needs one of value, ${numberTargets.join(', ')}; it has ${targets.length}`);
  const keys = readKeys(fields, 'key', where);
  const [operator, operand] = readOperator(fields[target], `${where}.${target}`);
  if (target === 'value') return compare.value(keys, operator, readBytes(operand, `${where}.value`));
  const name = numberTargets.find((each) => each === target) ?? 'version';
  return compare[name](keys, operator, readNumber(operand, `${where}.${target}`));
}

/** `{ "<": 5 }`, or what it has to equal. */
function readOperator(json: unknown, where: string): readonly [CompareResult, unknown] {
  if (typeof json !== 'object' || json === null || 'base64' in json) return ['=', json];
  const [entry, ...others] = Object.entries(json);
  const operator = operators.find((each) => each === entry?.[0]);
  if (!entry || !operator || others.length > 0) throw wrong(where, `needs one of ${operators.join(' ')}`);
  return [operator, entry[1]];
}

function readOp(json: unknown, where: string): Op {
  const fields = fieldsOf(json, where);
  const kinds = ['get', 'put', 'del'].filter((name) => name in fields);
  if (kinds.length !== 1) throw wrong(where, `needs one of get, put and del; it has ${kinds.length}`);
  if (kinds[0] === 'get') {
    checkFields(fields, ['get', ...rangeFields, 'limit', 'keysOnly'], where);
    const limit = Number(readNumber(fields['limit'] ?? 0, `${where}.limit`));
    return get(readKeys(fields, 'get', where), { limit, keysOnly: readFlag(fields, 'keysOnly', where) });
  }
  if (kinds[0] === 'del') {
    checkFields(fields, ['del', ...rangeFields], where);
    return remove(readKeys(fields, 'del', where));
  }
  checkFields(fields, ['put', 'value', 'lease'], where);
  const lease = readNumber(fields['lease'] ?? 0, `${where}.lease`);
  const [key, value] = [
    readBytes(fields['put'], `${where}.put`),
    readBytes(fields['value'], `${where}.value`),
  ];
  return put(key, value, { lease });
}

function readKeys(fields: Fields, name: string, where: string): RangeLike {
  const key = readBytes(fields[name], `${where}.${name}`);
  const isPrefix = readFlag(fields, 'prefix', where);
  if (isPrefix && 'end' in fields) throw wrong(where, 'prefix and end exclude each other');
  if (isPrefix) return prefix(key);
  return 'end' in fields ? range(key, readBytes(fields['end'], `${where}.end`)) : key;
}

function readBytes(json: unknown, where: string): string | Uint8Array {
  if (typeof json === 'string') return json;
  if (typeof json === 'object' && json !== null && Object.keys(json).join() === 'base64') {
    const { base64 } = json as { readonly base64: unknown };
    const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined;
    if (bytes?.toString('base64') === base64) return new Uint8Array(bytes ?? []);
  }
  throw wrong(where, 'is neither text nor { "base64": "..." }');
}

function readNumber(json: unknown, where: string): bigint {
  if (typeof json === 'number' && Number.isSafeInteger(json) && json >= 0) return BigInt(json);
  if (typeof json === 'string' && /^(\d+|0x[0-9a-f]+)$/i.test(json)) return BigInt(json);
  throw wrong(where, 'is no whole number, 0 or more (a string if it is large)');
}

function readFlag(fields: Fields, name: string, where: string): boolean {
  const flag = fields[name] ?? false;
  if (typeof flag !== 'boolean') throw wrong(`${where}.${name}`, 'is neither true nor false');
  return flag;
}

function fieldsOf(json: unknown, where: string): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong(where, 'is no object');
  return json as Fields;
}

function checkFields(fields: Fields, known: readonly string[], where: string): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw wrong(where, `has ${JSON.stringify(unknown)}; known are ${known.join(', ')}`);
}

/** What the library says of an argument does not say where it stands. */
function explained<T>(where: string, read: (where: string) => T): T {
  try {
    return read(where);
  } catch (error) {
    throw error instanceof TypeError || error instanceof RangeError ? wrong(where, oneLine(error)) : error;
  }
}

function wrong(where: string, what: string): Failure {
  return new Failure(exitStatus.usage, `${where}: ${what}; see conclave kv txn --help`);
}
