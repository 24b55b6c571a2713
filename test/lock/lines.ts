import { type Conclave, type KeyValue, type Op, prefix } from '../../src/index.js';
import { TransportError } from '../../src/store/transport.js';
import type { Peer, RequestTo, World } from '../../src/testing/index.js';

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
/** Changes how many permits there are. */
export const isResize = ({ then }: Txn): boolean =>
  then.some((op) => op.kind === 'put' && textOf(op.key).endsWith('/limit'));

/** Names itself as the holder for whom a successor has to wait. */
export const isMark = ({ then: [first] }: Pick<Txn, 'then'>): boolean =>
  first?.kind === 'put' && textOf(first.key).includes('/delay/');

/** The next such request is done, and then the store says that it is full: as etcd does when it raises the alarm. */
export function fullAfter(world: World, where: (request: Txn) => boolean): void {
  const { engine } = world;
  const execute = engine.execute.bind(engine);
  const once = ((method, request) => {
    const answer = execute(method, request);
    if (method !== 'txn' || !where(request as Txn)) return answer;
    engine.execute = execute;
    throw new TransportError('resource-exhausted', 'etcdserver: mvcc: database space exceeded');
  }) satisfies typeof engine.execute;
  engine.execute = once;
}

/** What can become of one request, and of its answer. */
export const fates: readonly (readonly [string, Fate])[] = [
  ['whose request got lost', (world, client, filter) => world.dropRequest(client, filter)],
  ['whose answer got lost', (world, client, filter) => world.dropReply(client, filter)],
  [
    'that is done once more much later',
    (world, client, filter) => world.repeatRequest(client, { ...filter, ms: 20_000 }),
  ],
  [
    'that arrives much later',
    (world, client, filter) => world.delayRequest(client, { ...filter, ms: 20_000 }),
  ],
  [
    'that is not heard of for long',
    (world, client, filter) => world.delayRequest(client, { ...filter, ms: 7_000, isSilent: true }),
  ],
];

type Fate = (
  world: World,
  client: Conclave | Peer,
  filter: { method: 'txn'; where: (request: Txn) => boolean },
) => { readonly hasFired: boolean };

/** A client whose session is open. */
export async function opened(world: World, sessionTtlMs = 15_000): Promise<Conclave> {
  const client = await world.client({ sessionTtlMs });
  await (await client.mutex('warm-up').acquire()).release();
  return client;
}

/** Whether a promise has resolved, and when. */
export interface Watched<T> {
  readonly promise: Promise<T>;
  isIn: boolean;
  at: number;
}

export function watched<T>(world: World, promise: Promise<T>): Watched<T> {
  const state: Watched<T> = { isIn: false, at: NaN, promise };
  promise.then(
    () => {
      state.isIn = true;
      state.at = world.now();
    },
    () => {},
  );
  return state;
}
