import { toText } from '../base/bytes.js';
import { ConclaveError, InvalidValueError } from '../base/errors.js';
import type { InferOutput, StandardSchema } from '../base/schema.js';
import type { LineState } from '../session/line.js';
import { readContent, readTicket, type TicketInfo } from '../session/ticket-value.js';
import type { KeyValue } from '../store/results.js';
import type { GroupLayout } from './group-layout.js';
import type { Values } from './values.js';

/** One of a group, as others see it. */
export interface Member<Value = string> extends TicketInfo {
  readonly id: string;
  readonly value: Value;
}

/** One whose value cannot be read: the schema refuses it, or another program or a newer version has written it. */
export interface UnreadableMember {
  readonly id: string;
  readonly key: string;
  readonly fencingToken: bigint;
  readonly error: ConclaveError;
}

/** Who belongs to a group at one revision of the store. */
export interface Roll<Value = string> {
  readonly revision: bigint;
  /** In the order in which they have joined. */
  readonly members: readonly Member<Value>[];
  /** Usually empty. */
  readonly unreadable: readonly UnreadableMember[];
}

/** A roll, and what has changed since the one before. */
export interface GroupChange<Value = string> extends Roll<Value> {
  readonly joined: readonly Member<Value>[];
  /** As they are now. */
  readonly updated: readonly Member<Value>[];
  /** As they were last. */
  readonly left: readonly Member<Value>[];
}

type Entry<Value> = { readonly member: Member<Value> } | { readonly unreadable: UnreadableMember };

interface Known<Value> {
  readonly key: string;
  readonly modRevision: bigint;
  readonly entry: Promise<Entry<Value>>;
}

/** Makes rolls of what stands in the store. What has not changed is not read again. */
export class RollReader<Schema extends StandardSchema> {
  readonly #layout: GroupLayout;
  readonly #values: Values<Schema>;
  /** As last read, by key. */
  #entries = new Map<string, Known<InferOutput<Schema>>>();

  constructor(layout: GroupLayout, values: Values<Schema>) {
    this.#layout = layout;
    this.#values = values;
  }

  async read({ revision, tickets }: LineState): Promise<Roll<InferOutput<Schema>>> {
    const known = [...this.#oldest(tickets)].map(([id, ticket]) => this.#know(id, ticket));
    this.#entries = new Map(known.map((each) => [each.key, each]));
    const entries = await Promise.all(known.map(({ entry }) => entry));
    return {
      revision,
      members: entries.flatMap((entry) => ('member' in entry ? [entry.member] : [])),
      unreadable: entries.flatMap((entry) => ('unreadable' in entry ? [entry.unreadable] : [])),
    };
  }

  /** Who stands behind under the same id is not the member: it waits for the one before it to go. */
  #oldest(tickets: readonly KeyValue[]): Map<string, KeyValue> {
    const oldest = new Map<string, KeyValue>();
    for (const ticket of tickets) {
      const id = this.#layout.idIn(toText(ticket.key));
      if (id !== undefined && !oldest.has(id)) oldest.set(id, ticket);
    }
    return oldest;
  }

  /** The same entry for what has not changed, also after all was read anew. */
  #know(id: string, ticket: KeyValue): Known<InferOutput<Schema>> {
    const { modRevision } = ticket;
    const key = toText(ticket.key);
    const known = this.#entries.get(key);
    if (known?.modRevision === modRevision) return known;
    return { key, modRevision, entry: this.#readEntry(id, ticket) };
  }

  async #readEntry(id: string, ticket: KeyValue): Promise<Entry<InferOutput<Schema>>> {
    const key = toText(ticket.key);
    try {
      const text = readContent(ticket)?.value;
      const what = `the value of ${key}`;
      if (text === undefined) {
        const issue = { message: 'another program has written it' };
        throw new InvalidValueError(`${what} is not valid: ${issue.message}`, [issue]);
      }
      return { member: { ...readTicket(ticket), id, value: await this.#values.read(text, what) } };
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error;
      return { unreadable: { id, key, fencingToken: ticket.createRevision, error } };
    }
  }
}

/** What has changed. One that has come in the place of another under the same id has joined, and that one has left. */
export function changeOf<Value>(before: Roll<Value> | undefined, now: Roll<Value>): GroupChange<Value> {
  const old = byToken(before?.members ?? []);
  const present = byToken(now.members);
  return {
    ...now,
    joined: now.members.filter(({ key }) => !old.has(key)),
    updated: now.members.filter((member) => {
      const last = old.get(member.key);
      return last !== undefined && last !== member;
    }),
    left: [...old.values()].filter(({ key }) => !present.has(key)),
  };
}

/** The key of a ticket is never used twice. */
function byToken<Value>(members: readonly Member<Value>[]): Map<string, Member<Value>> {
  return new Map(members.map((member) => [member.key, member]));
}
