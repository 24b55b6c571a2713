import { prefix, type KeyValue, type Op } from '../../src/index.js';
import type { RequestTo, World } from '../../src/testing/index.js';

/** A ticket, as it stands in the store. */
export interface Standing {
  readonly key: string;
  readonly mode?: string;
  readonly weight?: number;
  readonly createRevision: bigint;
}

/** What stands below a prefix of keys, oldest first. */
export async function standing(world: World, start: string): Promise<Standing[]> {
  const { kvs } = await world.store.get(prefix(start), { sort: ['create', 'ascend'] });
  return kvs.map((kv) => ({ ...wishOf(kv), key: textOf(kv.key), createRevision: kv.createRevision }));
}

export const rwLine = (name: string): string => `conclave/rw/${name}/`;
export const permitLine = (name: string): string => `conclave/semaphore/${name}/t/`;
export const mutexLine = (name: string): string => `conclave/lock/${name}/`;
export const delayOf = (name: string): string => `conclave/delay/conclave%2Flock%2F${name}%2F`;

function wishOf({ value }: KeyValue): { mode?: string; weight?: number } {
  const { mode, weight } = JSON.parse(textOf(value)) as { mode?: string; weight?: number };
  return { ...(mode !== undefined && { mode }), ...(weight !== undefined && { weight }) };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

type Txn = RequestTo<'txn'>;

const puts = (ops: readonly Op[]): boolean => ops.some((op) => op.kind === 'put' && !op.ignoreValue);
const removes = (ops: readonly Op[]): boolean => ops.some(({ kind }) => kind === 'remove');

/** Puts a ticket in the place of another. */
export const isExchange = ({ then }: Txn): boolean => puts(then) && removes(then);
/** Puts a ticket at the end of the line. */
export const isTake = ({ then }: Txn): boolean => then.length > 1 && !removes(then) && !isBump({ then });
/** Writes on a ticket that stands. */
export const isRewrite = ({ then }: Txn): boolean => then.length === 1 && puts(then);
/** Moves the epoch. */
export const isBump = ({ then: [first] }: Pick<Txn, 'then'>): boolean =>
  first?.kind === 'put' && first.ignoreValue;
/** Gives back, and puts nothing. */
export const isRemoval = ({ then }: Txn): boolean => removes(then) && !puts(then);
