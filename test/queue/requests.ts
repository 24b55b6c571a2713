import type { Op, TxnOp } from '../../src/index.js';
import type { RequestTo } from '../../src/testing/index.js';

type Txn = RequestTo<'txn'>;

/** Every operation, on whatever level. */
function flat(ops: readonly Op[]): readonly Exclude<Op, TxnOp>[] {
  return ops.flatMap((op) => (op.kind === 'txn' ? flat([...op.then, ...op.else]) : [op]));
}

function keysOf(kind: 'put' | 'remove', ops: readonly Op[]): readonly string[] {
  return flat(ops).flatMap((op) => {
    if (op.kind === 'put' && kind === 'put') return [text(op.key)];
    if (op.kind === 'remove' && kind === 'remove') return [text(op.range.key)];
    return [];
  });
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const puts = ({ then }: Txn, part: string): boolean => keysOf('put', then).some((key) => key.includes(part));
const removes = ({ then }: Txn, part: string): boolean =>
  keysOf('remove', then).some((key) => key.includes(part));
const isWrite = ({ then }: Txn): boolean => flat(then).some(({ kind }) => kind !== 'get');

/** The reads before something is done: of the present revision and the floors. */
export const isLook = (request: Txn): boolean => !isWrite(request);
export const isEnqueue = (request: Txn): boolean => puts(request, '/job/');
export const isClaim = (request: Txn): boolean => puts(request, '/active/');
/** The end of a delivery, whatever becomes of the job. */
export const isSettlement = (request: Txn): boolean => removes(request, '/active/') && hasToken(request);
export const isReclaim = (request: Txn): boolean => removes(request, '/active/') && !hasToken(request);
export const isPromotion = (request: Txn): boolean => removes(request, '/delayed/');
/** Lets a job of a group pass. */
export const isFill = (request: Txn): boolean => puts(request, '/slot/');
export const isCancel = (request: Txn): boolean => puts(request, '/cancel/');
export const isPause = (request: Txn): boolean => puts(request, '/workers/paused');
/** Stands in line for a job. */
export const isStanding = (request: Txn): boolean => puts(request, '/workers/t/');
export const isFloorMove = (request: Txn): boolean => puts(request, '/floor/') && !isEnqueue(request);

/** It removes a claim: the key below the one that says that the job is being worked on. */
function hasToken({ then }: Txn): boolean {
  return keysOf('remove', then).some((key) => /\/active\/[^/]+\//.test(key));
}
