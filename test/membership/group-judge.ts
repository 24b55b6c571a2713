import { type GroupChange, type KeyValue, prefix, type StoreEvent, toText } from '../../src/index.js';
import type { World } from '../../src/testing/index.js';

/** A member, as the store has it. */
interface Fact {
  readonly id: string;
  readonly key: string;
  readonly value: string;
  readonly modRevision: bigint;
}

interface Moment {
  readonly revision: bigint;
  /** By the key of the ticket. */
  readonly members: ReadonlyMap<string, Fact>;
}

/** Who belonged to the group `g` at each revision, as the store itself has told; the rules of a group once more. */
export class GroupJudge {
  readonly wrong: string[] = [];
  readonly #moments: Moment[] = [{ revision: 0n, members: new Map() }];
  readonly #tickets = new Map<string, KeyValue>();
  /** The largest number each author has written: values are `<author>.<number>`. */
  readonly #written = new Map<string, number>();

  constructor({ store }: World) {
    store.listen(
      prefix('conclave/group/g/'),
      {},
      {
        created: () => {},
        ended: () => {},
        events: (revision, events) => this.#hear(revision, events),
      },
    );
  }

  get members(): readonly Fact[] {
    return [...(this.#moments.at(-1)?.members.values() ?? [])];
  }

  /**
   * What is wrong with what a watch has told.
   *
   * @param mayLeaveOut revisions may be left out: something was compacted
   */
  objections(changes: readonly GroupChange[], mayLeaveOut: boolean): string[] {
    const wrong: string[] = [];
    const sum = new Map<string, string>();
    let last = -1n;
    for (const { revision, members, joined, updated, left } of changes) {
      if (revision <= last) wrong.push(`revision ${revision} after ${last}`);
      last = revision;
      for (const { key } of left) if (!sum.delete(key)) wrong.push(`${key} has left and was not there`);
      for (const { key, value } of updated) {
        if (!sum.has(key)) wrong.push(`${key} was updated and was not there`);
        if (sum.get(key) === value) wrong.push(`${key} was updated to what it was: ${value}`);
        sum.set(key, value);
      }
      for (const { key, value } of joined) {
        if (sum.has(key)) wrong.push(`${key} has joined and was there`);
        sum.set(key, value);
      }
      const told = [...sum].sort().join();
      const listed = members.map(({ key, value }) => [key, value] as const);
      if (listed.toSorted().join() !== told) wrong.push(`at ${revision} it adds up to ${told}`);
      const truth = [...this.#at(revision).members.values()].map(({ key, value }) => [key, value] as const);
      if (truth.toSorted().join() !== told)
        wrong.push(`at ${revision} there were ${String(truth)}, not ${told}`);
      if (new Set(members.map(({ id }) => id)).size < members.length)
        wrong.push(`two of one id at ${revision}`);
    }
    const [first] = changes;
    if (!first) return ['nothing was told'];
    const due = this.#moments.map(({ revision }) => revision).filter((revision) => revision > first.revision);
    const told = changes.slice(1).map(({ revision }) => revision);
    if (!mayLeaveOut && due.join() !== told.join())
      wrong.push(`changes at ${String(due)}, told of ${String(told)}`);
    const truth = this.members.map(({ key, value }) => [key, value] as const);
    if (truth.toSorted().join() !== [...sum].sort().join()) wrong.push('it has not seen the end');
    return wrong;
  }

  #at(revision: bigint): Moment {
    const moment = this.#moments.findLast((each) => each.revision <= revision);
    if (!moment) throw new RangeError('before the beginning');
    return moment;
  }

  #hear(revision: bigint, events: readonly StoreEvent[]): void {
    for (const { type, kv } of events) {
      if (type === 'delete') this.#tickets.delete(toText(kv.key));
      else this.#tickets.set(toText(kv.key), kv);
    }
    const members = new Map<string, Fact>();
    const ids = new Set<string>();
    const oldestFirst = [...this.#tickets.values()].sort((a, b) =>
      Number(a.createRevision - b.createRevision),
    );
    for (const kv of oldestFirst) {
      const key = toText(kv.key);
      const id = key.split('/')[3] ?? '';
      if (ids.has(id)) continue;
      ids.add(id);
      const { value } = JSON.parse(toText(kv.value)) as { value: string };
      members.set(key, { id, key, value, modRevision: kv.modRevision });
    }
    const before = this.#moments.at(-1)?.members ?? new Map<string, Fact>();
    const isSame =
      before.size === members.size &&
      [...members.values()].every(({ key, modRevision }) => before.get(key)?.modRevision === modRevision);
    if (!isSame) this.#moments.push({ revision, members });
    for (const { value } of members.values()) this.#numbered(value);
  }

  #numbered(value: string): void {
    const [author = '', number = ''] = value.split('.');
    if (Number(number) < (this.#written.get(author) ?? 0)) this.wrong.push(`${value} after a later one`);
    this.#written.set(author, Number(number));
  }
}
