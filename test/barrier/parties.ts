import { type Op, prefix, toText } from '../../src/index.js';
import type { RequestTo, World } from '../../src/testing/index.js';

/** The keys below a prefix, without it. */
export async function keysBelow(world: World, start: string): Promise<string[]> {
  const { kvs } = await world.store.get(prefix(start));
  return kvs.map(({ key }) => toText(key).slice(start.length));
}

export const doubleAt = (name: string): string => `conclave/double-barrier/${name}/`;
export const cyclicAt = (name: string): string => `conclave/cyclic-barrier/${name}/`;

type Txn = RequestTo<'txn'>;

const putsAt = (part: string, [op]: readonly Op[]): boolean =>
  op?.kind === 'put' && toText(op.key).includes(part);

/** Writes down what has become of a round, or of the leaving of one. */
export const isProposal = ({ then }: Txn): boolean => putsAt('/out', then);
/** Goes again before anything was decided. */
export const isWithdrawal = ({ then: [op] }: Txn): boolean =>
  op?.kind === 'txn' && putsAt('/left', op.else.slice(1));
/** Comes. */
export const isEntry = ({ then: [op] }: Txn): boolean =>
  op?.kind === 'txn' ? putsAt('/in/', op.then) : putsAt('/in/', op ? [op] : []);
/** Goes from inside to those who wait for the others to leave. */
export const isLeave = ({ then }: Txn): boolean => putsAt('/leave/', then.slice(1));
