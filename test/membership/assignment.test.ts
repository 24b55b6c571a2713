import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assign, type Assignment } from '../../src/membership/assignment.js';

const moves = (before: Assignment, after: Assignment): number =>
  after.filter((owner, shard) => owner !== before[shard]).length;
const counts = (assignment: Assignment): number[] => {
  const found = new Map<string, number>();
  for (const owner of assignment) if (owner !== undefined) found.set(owner, (found.get(owner) ?? 0) + 1);
  return [...found.values()];
};
/** By how much who has most has more than who has least. */
const spread = (assignment: Assignment, members: readonly string[]): number => {
  const all = members.map((member) => assignment.filter((owner) => owner === member).length);
  return Math.max(...all) - Math.min(...all);
};
const named = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);

describe('an assignment', () => {
  it('gives every shard to somebody, and nobody more than its share', () => {
    expect(assign(5, [], ['a', 'b'])).toEqual(['a', 'b', 'a', 'b', 'a']);
    expect(assign(2, [], ['a', 'b', 'c'])).toEqual(['a', 'b']);
    expect(assign(3, ['a', 'b', 'a'], [])).toEqual([undefined, undefined, undefined]);
  });

  it('leaves what is there where it is', () => {
    expect(assign(4, ['b', 'a', 'b', 'a'], ['a', 'b'])).toEqual(['b', 'a', 'b', 'a']);
    expect(assign(4, ['b', 'a', 'gone', 'a'], ['a', 'b'])).toEqual(['b', 'a', 'b', 'a']);
    expect(assign(4, ['a', 'a', 'a', 'a'], ['a', 'b'])).toEqual(['a', 'a', 'b', 'b']);
  });

  it('leaves nobody without, because others could keep what they have', () => {
    expect(assign(6, ['a', 'b', 'c', 'a', 'b', 'c'], ['a', 'b', 'c', 'd'])).toEqual([
      'a',
      'b',
      'c',
      'a',
      'b',
      'd',
    ]);
  });

  it('moves only what is too much, and what belonged to who has gone, through any comings and goings', () => {
    const change = fc.record({ joins: fc.boolean(), who: fc.nat(30) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.array(change, { maxLength: 40 }),
        (shards, changes) => {
          let members: string[] = [];
          let now: Assignment = [];
          let next = 0;
          for (const { joins, who } of changes) {
            const before = now;
            const old = members;
            members =
              joins || members.length === 0
                ? [...members, `m${next++}`]
                : members.toSpliced(who % members.length, 1);
            now = assign(shards, now, members);
            if (members.length === 0) continue;
            expect(now.every((owner) => owner !== undefined && members.includes(owner))).toBe(true);
            expect(spread(now, members)).toBeLessThanOrEqual(1);
            if (old.length === 0) continue;
            const bound = Math.ceil(shards / (members.length > old.length ? members.length : old.length));
            expect(moves(before, now)).toBeLessThanOrEqual(bound);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('of 10,000 shards among 200 members moves no more than a share, at each of 400 changes', () => {
    const shards = 10_000;
    let members = named(200);
    let now = assign(shards, [], members);
    expect(Math.max(...counts(now)) - Math.min(...counts(now))).toBe(0);
    for (let i = 0; i < 400; i++) {
      const before = now;
      members = i % 2 === 0 ? members.toSpliced((i * 7) % members.length, 1) : [...members, `new${i}`];
      now = assign(shards, now, members);
      expect(moves(before, now)).toBeLessThanOrEqual(Math.ceil(shards / members.length));
      expect(Math.max(...counts(now))).toBeLessThanOrEqual(Math.ceil(shards / members.length));
    }
  });
});
