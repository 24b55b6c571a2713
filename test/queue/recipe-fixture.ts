import { type Runtime, systemRuntime } from '../../src/base/runtime.js';
import { toText } from '../../src/base/bytes.js';
import { RecipePriorityQueue } from '../../src/queue/recipe-priority-queue.js';
import { RecipeQueue } from '../../src/queue/recipe-queue.js';
import { Connection } from '../../src/session/connection.js';
import { prefix } from '../../src/store/operations.js';
import { Store } from '../../src/store/store.js';
import type { Transport } from '../../src/store/transport.js';
import type { Peer, RequestTo, World } from '../../src/testing/index.js';

/** A process that uses Go's queues. */
export class Program {
  readonly store: Store;
  readonly connection: Connection;

  constructor(transport: Transport, runtime: Runtime = systemRuntime, ttlMs = 60_000) {
    this.store = new Store(transport, { runtime });
    const holder = { name: 'test', host: 'here', pid: 1, ns: 'conclave' };
    this.connection = new Connection(this.store, { runtime, namespace: 'conclave', ttlMs, holder });
  }

  queue(path: string): RecipeQueue {
    return new RecipeQueue(this.connection, path);
  }

  priorityQueue(path: string): RecipePriorityQueue {
    return new RecipePriorityQueue(this.connection, path);
  }

  /** Its session is open, so that its next request is the one the test is about. */
  async warm(): Promise<this> {
    await this.connection.session();
    return this;
  }

  async keysBelow(start: string): Promise<string[]> {
    return (await this.store.get(prefix(start))).kvs.map(({ key }) => toText(key));
  }

  async close(): Promise<void> {
    await this.connection.close();
    await this.store.close();
  }
}

/** One in a world, and where to aim faults at it. The world's end ends it, too. */
export interface Player extends Program, AsyncDisposable {
  readonly peer: Peer;
}

export async function player(world: World, ttlMs = 15_000): Promise<Player> {
  const peer = world.peer();
  const program = await new Program(peer.transport, peer.runtime, ttlMs).warm();
  return Object.assign(program, { peer, [Symbol.asyncDispose]: () => world.run(program.close()) });
}

/** As text, once there is one. */
export async function text(value: Promise<Uint8Array>): Promise<string> {
  return toText(await value);
}

type Txn = RequestTo<'txn'>;

/** Puts an item. */
export const isPut = ({ then }: Txn): boolean =>
  then.some((op) => op.kind === 'put' && toText(op.key).startsWith('q/'));
/** Takes one, with a receipt. */
export const isClaim = ({ then }: Txn): boolean =>
  then.some(({ kind }) => kind === 'remove') && then.some(({ kind }) => kind === 'put');
/** Takes one. */
export const isRemoval = ({ then }: Txn): boolean => then.some(({ kind }) => kind === 'remove');
