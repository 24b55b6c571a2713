import { checkSchema, type InferInput, type InferOutput, type StandardSchema } from '../base/schema.js';
import { checkOptions, Wait, type WaitOptions } from '../base/wait.js';
import { Admission } from '../session/admission.js';
import type { Connection } from '../session/connection.js';
import { lineHistory } from '../session/line-history.js';
import { Card } from './card.js';
import { GroupLayout } from './group-layout.js';
import { Membership } from './membership.js';
import { Registration } from './registration.js';
import { changeOf, type GroupChange, type Roll, RollReader } from './roll.js';
import { checkShards, Shards } from './shards.js';
import { ShardsLayout } from './shards-layout.js';
import { Values } from './values.js';

export interface GroupOptions<Schema extends StandardSchema = StandardSchema> {
  /** Describes the values of the members, which are then stored as JSON: any Standard Schema (zod, valibot, arktype...). @default they are text */
  readonly schema?: Schema;
}

export interface JoinOptions extends WaitOptions {
  /** Who joins: nobody else is this one at the same time. @default one that nobody else has */
  readonly id?: string;
}

/**
 * Who is there: processes join with a value (where they can be reached, what they can do), and others read and watch who
 * belongs to the group.
 *
 * Guarantees:
 * - An id is one member at most, at any revision of the store.
 * - A member that has crashed is gone once its lease has run out; one that lost its session while it lives registers again by itself.
 * - `watch` tells of every change, in order, whole revisions at a time; after a compaction by the present members what was in
 *   between may be left out, nothing is invented, and whoever adds up the changes always has the members.
 *
 * Not guaranteed: that a member which is listed is alive this moment: it may have crashed up to a TTL (and an election of an etcd
 * leader, and another TTL) ago.
 *
 * Curator's `GroupMember`, on the tickets of this library: each id is a line, and its oldest ticket is the member.
 */
export class Group<Schema extends StandardSchema = StandardSchema<string>> {
  readonly #connection: Connection;
  readonly #layout: GroupLayout;
  readonly #values: Values<Schema>;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or option */
  constructor(connection: Connection, name: string, options: GroupOptions<Schema>) {
    this.#connection = connection;
    this.#layout = new GroupLayout(connection.namespace, name);
    checkOptions(options, ['schema'], this.#layout.title);
    const { schema } = options;
    this.#values = new Values(schema && checkSchema(schema, `${this.#layout.title}: schema`));
  }

  /**
   * Becomes a member, for as long as it does not leave. One round trip. If the id is taken, waits until that member is gone:
   * one that has crashed, before it was started again, is after its lease.
   *
   * @throws InvalidValueError if the schema refuses the value; TypeError, RangeError for bad arguments: nothing was sent
   * @throws WaitTimeoutError naming who has the id; the signal's reason; SessionLostError; ClosedError; AuthError;
   * ResourceExhaustedError if the store is over its quota
   */
  async join(value: InferInput<Schema>, options: JoinOptions = {}): Promise<Membership<Schema>> {
    const { title } = this.#layout;
    checkOptions(options, ['id', 'timeoutMs', 'signal'], `${title}: join`);
    const connection = this.#connection;
    const { id = connection.runtime.id().toString(16), ...wait } = options;
    const line = this.#layout.lineOf(id);
    const checking = Wait.start(connection.runtime, wait, `${line.title}: join`);
    checking.endsWith(connection.closing);
    // A schema may think for long, or for ever.
    const text = await checking
      .race(this.#values.write(value, `the value of ${line.title}`))
      .finally(() => checking.end());
    const card = new Card(connection, text);
    const admission = new Admission(connection, { lines: [line], title: line.title });
    const acquire = (until: WaitOptions): Promise<Registration> =>
      admission.acquire(card.demand, until, (admitted) => new Registration(admitted, card));
    const parts = { connection, id, title: line.title, values: this.#values, card, acquire };
    const { timeoutMs } = wait;
    const left = timeoutMs === undefined ? {} : { timeoutMs: Math.max(0, timeoutMs - checking.waitedMs()) };
    return new Membership(parts, await acquire({ ...wait, ...left }));
  }

  /** Who belongs to it now. One read. @throws ClosedError; UnavailableError; AuthError */
  async members(): Promise<Roll<InferOutput<Schema>>> {
    this.#connection.closing.throwIfAborted();
    const line = this.#layout.all();
    const { header, kvs } = await this.#connection.store.get(line.range);
    return this.#reader().read(line.stateOf(header.revision, kvs));
  }

  /**
   * Who belongs to it, and each change of that: the present members first, all of them as `joined`. Never backwards, none
   * twice, however slow the reader is. One read and one watch, nothing per change, and nothing before the first `next()`.
   * `break` ends it.
   *
   * @throws the signal's reason; ClosedError; AuthError if a permission was withdrawn. It does not end otherwise: while the
   * store is away it waits.
   */
  async *watch(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<GroupChange<InferOutput<Schema>>, void, undefined> {
    checkOptions(options, ['signal'], `${this.#layout.title}: watch`);
    const reader = this.#reader();
    let last: Roll<InferOutput<Schema>> | undefined;
    const wait = Wait.start(this.#connection.runtime, options, `${this.#layout.title}: watch`);
    wait.endsWith(this.#connection.closing);
    try {
      const { signal } = wait;
      for await (const state of lineHistory(this.#connection, this.#layout.all(), { signal })) {
        const now = await wait.race(reader.read(state)); // a schema may never answer
        const change = changeOf(last, now);
        const isFirst = last === undefined;
        last = now;
        if (isFirst || change.joined.length + change.updated.length + change.left.length > 0) yield change;
      }
    } finally {
      wait.end();
    }
  }

  /**
   * Work divided among the members: all that take part name the same number. No I/O.
   *
   * @param count how many shards there are, up to 100,000
   * @throws TypeError, RangeError for a bad number
   */
  shards(count: number): Shards<Membership<Schema>> {
    const { title } = this.#layout;
    const connection = this.#connection;
    const layout = new ShardsLayout(connection.namespace, this.#layout, checkShards(count, title));
    return new Shards(connection, layout, async (signal) => {
      if (!this.#values.areText)
        throw new TypeError(`${title}: run needs a member, whose value the schema describes`);
      return this.join('', { signal });
    });
  }

  #reader(): RollReader<Schema> {
    return new RollReader(this.#layout, this.#values);
  }
}
