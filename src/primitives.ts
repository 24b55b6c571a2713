import type { Place } from './base/keys.js';
import { checkOptions } from './base/wait.js';
import { atomicallyOnce } from './session/atomically-once.js';
import { CyclicBarrier } from './barrier/cyclic-barrier.js';
import { DoubleBarrier } from './barrier/double-barrier.js';
import { Gate } from './barrier/gate.js';
import { CountDownLatch, type LatchOptions } from './barrier/latch.js';
import type { BarrierOptions } from './barrier/options.js';
import { LiveSettings } from './config/live-settings.js';
import { LiveValue } from './config/live-value.js';
import type { ConfigOptions, SettingsOptions } from './config/options.js';
import { Counter } from './counter/counter.js';
import { Ids, type IdsOptions } from './counter/ids.js';
import { Election } from './election/election.js';
import { Mutex } from './lock/mutex.js';
import { MultiLock } from './lock/multi-lock.js';
import type { LockOptions, ReentrantOptions } from './lock/options.js';
import { RwLock } from './lock/rw-lock.js';
import { Semaphore, type SemaphoreOptions } from './lock/semaphore.js';
import { Group, type GroupOptions } from './membership/group.js';
import { Queue } from './queue/queue.js';
import type { QueueOptions } from './queue/queue-options.js';
import { RecipePriorityQueue } from './queue/recipe-priority-queue.js';
import { RecipeQueue } from './queue/recipe-queue.js';
import type { InferInput, InferOutput, StandardSchema } from './base/schema.js';
import type { AtomicOptions } from './store/atomically.js';
import type { Transaction } from './store/staged.js';
import type { Connection } from './session/connection.js';

/** A method for each primitive. They make objects, and no I/O: that is done by the objects' methods. */
export abstract class Primitives {
  /** @internal */
  protected readonly connection: Connection;

  protected constructor(connection: Connection) {
    this.connection = connection;
  }

  /** A fair mutual-exclusion lock. No I/O. @throws TypeError, RangeError for a bad name or option */
  mutex(place: Place, options: LockOptions = {}): Mutex {
    return new Mutex(this.connection, place, options);
  }

  /** A fair read/write lock: readers share, a writer is alone. No I/O. @throws TypeError, RangeError for a bad name or option */
  rwLock(place: Place, options: ReentrantOptions = {}): RwLock {
    return new RwLock(this.connection, place, options);
  }

  /** A fair, weighted semaphore. No I/O. @throws TypeError, RangeError for a bad name or limit */
  semaphore(place: Place, options: SemaphoreOptions = {}): Semaphore {
    return new Semaphore(this.connection, place, options);
  }

  /** Several mutexes at once, all or nothing; up to 60. No I/O. @throws TypeError, RangeError for bad names or options */
  multiLock(places: readonly Place[], options: LockOptions = {}): MultiLock {
    return new MultiLock(this.connection, places, options);
  }

  /** One of many leads. No I/O. @throws TypeError, RangeError for a bad name */
  election(place: Place): Election {
    return new Election(this.connection, place);
  }

  /** What all wait at while it is closed. With `{ path }` the path is the key, as for etcd's Barrier. No I/O. @throws TypeError, RangeError for a bad name */
  gate(place: Place): Gate {
    return new Gate(this.connection, place);
  }

  /** Parties that enter and leave together. No I/O. @throws TypeError, RangeError for a bad name or number of parties */
  doubleBarrier(place: Place, options: BarrierOptions): DoubleBarrier {
    return new DoubleBarrier(this.connection, place, options);
  }

  /** Parties that wait for each other, round after round. No I/O. @throws TypeError, RangeError for a bad name or number of parties */
  cyclicBarrier(place: Place, options: BarrierOptions): CyclicBarrier {
    return new CyclicBarrier(this.connection, place, options);
  }

  /** Opens once `count` have arrived, and stays open. No I/O. @throws TypeError, RangeError for a bad name or count */
  latch(place: Place, options: LatchOptions): CountDownLatch {
    return new CountDownLatch(this.connection, place, options);
  }

  /** Who is there, with values that a schema checks; without one they are text. No I/O. @throws TypeError, RangeError for a bad name */
  group<Schema extends StandardSchema = StandardSchema<string>>(
    name: string,
    options: GroupOptions<Schema> = {},
  ): Group<Schema> {
    return new Group(this.connection, name, options);
  }

  /** A value of configuration, kept up to date; a path is the key itself. No I/O. @throws TypeError, RangeError, InvalidValueError for a bad place or option */
  config<Schema extends StandardSchema>(
    place: Place,
    options: ConfigOptions<Schema, InferInput<Schema>> & { readonly schema: Schema },
  ): LiveValue<InferOutput<Schema>, InferInput<Schema>>;
  /** The same; `Value` is what its programs have agreed on, nothing checks it. */
  config<Value = unknown>(place: Place, options?: { readonly fallback?: Value }): LiveValue<Value>;
  config(place: Place, options: ConfigOptions = {}): LiveValue<unknown> {
    return new LiveValue(this.connection, place, options);
  }

  /** A tree of settings, a key for each. No I/O. @throws TypeError, RangeError for a bad place or option */
  settings<Schema extends StandardSchema>(
    place: Place,
    options: SettingsOptions<Schema> & { readonly schema: Schema },
  ): LiveSettings<InferOutput<Schema>, InferInput<Schema>>;
  /** The same; nothing checks them. */
  settings<Value = unknown>(place: Place): LiveSettings<Value>;
  settings(place: Place, options: SettingsOptions = {}): LiveSettings<unknown> {
    return new LiveSettings(this.connection, place, options);
  }

  /** A number that all add to. No I/O. @throws TypeError, RangeError for a bad name */
  counter(name: string): Counter {
    return new Counter(this.connection, name);
  }

  /** Numbers that no two get. No I/O. @throws TypeError, RangeError for a bad name or option */
  ids(name: string, options: IdsOptions = {}): Ids {
    return new Ids(this.connection, name, options);
  }

  /** A queue of jobs whose values a schema checks. No I/O. @throws TypeError, RangeError for a bad name or option */
  queue<Schema extends StandardSchema>(
    name: string,
    options: QueueOptions<Schema> & { readonly schema: Schema },
  ): Queue<Schema>;
  /** A queue of jobs; `Value` is what its programs have agreed on, nothing checks it. */
  queue<Value = unknown>(name: string, options?: Omit<QueueOptions, 'schema'>): Queue<StandardSchema<Value>>;
  /** A queue shared with programs in Go (`recipes.Queue`), at most once. No I/O. @throws TypeError for a bad path */
  queue(place: { readonly path: string }, options?: { readonly prioritized?: false }): RecipeQueue;
  /** The same with priorities (`recipes.PriorityQueue`). */
  queue(place: { readonly path: string }, options: { readonly prioritized: true }): RecipePriorityQueue;
  queue(
    place: Place,
    options: QueueOptions & { readonly prioritized?: boolean } = {},
  ): Queue | RecipeQueue | RecipePriorityQueue {
    const { connection } = this;
    if (typeof place === 'string') return new Queue(connection, place, options);
    checkOptions(options, ['prioritized'], 'queue({ path })');
    return options.prioritized
      ? new RecipePriorityQueue(connection, place.path)
      : new RecipeQueue(connection, place.path);
  }

  /** As `atomically(conclave.store, body)`, but done once whatever becomes of an answer: with a receipt, under the session. @throws SessionLostError in `withSession` */
  atomically<T>(body: (txn: Transaction) => T | Promise<T>, options: AtomicOptions = {}): Promise<T> {
    return atomicallyOnce(this.connection, body, options);
  }
}
