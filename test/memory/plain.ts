import type { GetOp, Op } from '../../src/store/operations.js';
import type { GetResult, KeyValue, OpResult } from '../../src/store/results.js';
import { type Calls, type Method, TransportError } from '../../src/store/transport.js';

/** A value as text, for comparing and for printing. Of a header only the revision: the rest differs between servers. */
export function plain(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (key === 'header') return { revision: (inner as { revision: bigint }).revision };
    if (typeof inner === 'bigint') return `${inner}n`;
    // A Buffer has become its own JSON form by now.
    if (isBufferJson(inner)) return Buffer.from(inner.data).toString('latin1');
    if (inner instanceof Uint8Array) return Buffer.from(inner).toString('latin1');
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner))
      return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
    return inner;
  });
}

function isBufferJson(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
}

/** An answer with all left out or put in order that may differ between two servers in the same state. */
export function comparable(
  request: Calls[Method]['request'],
  answer: Calls[Method]['response'] | TransportError,
): unknown {
  if (answer instanceof TransportError) return { refused: answer.status, detail: answer.detail };
  if (isOp(request) && 'kind' in answer) return canonical(request, answer);
  // Leases: not the remaining TTL, not an order that depends on it.
  if ('keys' in answer)
    return { ...answer, ttlSeconds: Math.sign(answer.ttlSeconds), keys: answer.keys.map(plain).sort() };
  if ('leases' in answer) return { ...answer, leases: answer.leases.map(plain).sort() };
  if ('version' in answer) return { header: answer.header, version: answer.version };
  if ('id' in answer && 'id' in request && request.id === 0n)
    return { ...answer, id: 'chosen by the server' };
  return answer;
}

function isOp(request: Calls[Method]['request']): request is Op {
  return 'kind' in request;
}

/** The result of an operation, with everything in a fixed order that the server may give in any order. */
function canonical(op: Op, result: OpResult): OpResult {
  if (op.kind === 'get' && result.kind === 'get') return canonicalGet(op, result);
  if (op.kind !== 'txn' || result.kind !== 'txn') return result;
  const branch = result.succeeded ? op.then : op.else;
  return { ...result, responses: result.responses.map((inner, i) => canonical(branch[i]!, inner)) };
}

const sortFields = {
  key: 'key',
  version: 'version',
  create: 'createRevision',
  mod: 'modRevision',
  value: 'value',
} as const;

/** Pairs with equal sort keys can come in any order, and any of them can be the ones that a limit cuts off. */
function canonicalGet(op: GetOp, result: GetResult): GetResult {
  if (op.sort === undefined) return result;
  const field = sortFields[op.sort[0]];
  const sortKey = (kv: KeyValue | undefined): string => plain(kv?.[field]);
  const cutOff = result.more ? sortKey(result.kvs.at(-1)) : undefined;

  const runs: KeyValue[][] = [];
  for (const kv of result.kvs) {
    const run = runs.at(-1);
    if (run !== undefined && sortKey(run[0]) === sortKey(kv)) run.push(kv);
    else runs.push([kv]);
  }
  const kvs = runs.flatMap((run) => {
    if (sortKey(run[0]) === cutOff) return run.map((kv) => ({ ...blank, [field]: kv[field] }));
    return run.sort((a, b) => Buffer.compare(a.key, b.key));
  });
  return { ...result, kvs };
}

const blank: KeyValue = {
  key: new Uint8Array(),
  value: new Uint8Array(),
  createRevision: 0n,
  modRevision: 0n,
  version: 0n,
  lease: 0n,
};
