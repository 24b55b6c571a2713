import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConflictError, type KeyValue } from '../../src/index.js';
import {
  divide,
  dividePermits,
  limitBefore,
  noOlderTicket,
  readersShare,
  type Rule,
  weightOf,
  withinLimit,
} from '../../src/session/rules.js';
import { encodeTicket, readContent, type Wish } from '../../src/session/ticket-value.js';
import { asManyAsFit, type ModelRule, oneAtATime, readersTogether } from '../model/rules.js';

const holder = { name: 'h', host: 'h', pid: 1, ns: 'conclave' };

const wishes: fc.Arbitrary<Wish | string> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ mode: fc.constantFrom('read', 'write'), weight: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.constantFrom('', 'of another program', '[]', '{"v":1,"mode":"rw","weight":0}') },
);

/** Oldest first, as a line's state has them. */
const tickets: fc.Arbitrary<readonly KeyValue[]> = fc
  .array(wishes, { maxLength: 8 })
  .map((all) =>
    all.map((wish, i) => ticket(i, typeof wish === 'string' ? wish : encodeTicket(holder, 0, wish))),
  );

const settings: fc.Arbitrary<readonly KeyValue[]> = fc
  .integer({ min: 1, max: 8 })
  .map((limit) => [kv('conclave/semaphore/s/limit', String(limit), 1n)]);

const rules: readonly (readonly [name: string, rule: Rule, model: ModelRule])[] = [
  ['noOlderTicket', noOlderTicket, oneAtATime],
  ['readersShare', readersShare, readersTogether],
  ['withinLimit', withinLimit, asManyAsFit],
];

describe.each(rules)('%s', (_name, rule, model) => {
  it('lets a ticket pass that it has let pass, whoever of the older ones leaves', () => {
    fc.assert(
      fc.property(scenes(), fc.infiniteStream(fc.boolean()), ({ older, mine, settings: set }, stays) => {
        fc.pre(verdict(rule, older, mine, set) === true);
        const left = older.filter(() => stays.next().value);
        expect(verdict(rule, left, mine, set)).toBe(true);
      }),
    );
  });

  it('lets a ticket pass that it has let pass, whichever of the older writers becomes a reader', () => {
    fc.assert(
      fc.property(scenes(), fc.infiniteStream(fc.boolean()), ({ older, mine, settings: set }, changes) => {
        fc.pre(verdict(rule, older, mine, set) === true);
        const changed = older.map((each) => (changes.next().value ? downgraded(each) : each));
        expect(verdict(rule, changed, mine, set)).toBe(true);
      }),
    );
  });

  it('does not care who comes later', () => {
    fc.assert(
      fc.property(tickets, settings, fc.nat({ max: 8 }), (all, set, count) => {
        const first = all.slice(0, count);
        const { holders } = divide(rule, { tickets: all, settings: set });
        expect(divide(rule, { tickets: first, settings: set }).holders).toEqual(
          holders.filter((each) => first.includes(each)),
        );
      }),
    );
  });

  it('lets pass together only those that may hold together', () => {
    fc.assert(
      fc.property(tickets, settings, (all, set) => {
        const { holders } = divide(rule, { tickets: all, settings: set });
        expect(model.mayHoldTogether(holders.map(asModel), limitOf(set))).toBe(true);
      }),
    );
  });

  it('lets the oldest pass, unless it never can', () => {
    fc.assert(
      fc.property(tickets, settings, (all, set) => {
        fc.pre(all.length > 0);
        expect(verdict(rule, [], all[0]!, set)).not.toBe(false);
      }),
    );
  });

  it('says the same as the model', () => {
    fc.assert(
      fc.property(scenes(), ({ older, mine, settings: set }) => {
        const line = { tickets: [...older, mine].map(asModel), limit: limitOf(set) };
        expect(verdict(rule, older, mine, set) === true).toBe(model.mayPass(line, asModel(mine)));
      }),
    );
  });
});

describe('permits', () => {
  it('are never more than the limit', () => {
    fc.assert(
      fc.property(tickets, settings, (all, set) => {
        const { holders } = divide(withinLimit, { tickets: all, settings: set });
        expect(holders.reduce((sum, each) => sum + weightOf(each), 0)).toBeLessThanOrEqual(limitOf(set));
      }),
    );
  });

  it('are refused for ever exactly to those who want more than the limit', () => {
    fc.assert(
      fc.property(scenes(), ({ older, mine, settings: set }) => {
        expect(verdict(withinLimit, older, mine, set) === 'never').toBe(weightOf(mine) > limitOf(set));
      }),
    );
  });

  it('from before the limit was made smaller count as taken if they fitted then; those that came later have to fit now', () => {
    fc.assert(
      fc.property(tickets, fc.integer({ min: 1, max: 8 }), fc.nat({ max: 8 }), (all, limit, count) => {
        const before = [kv('conclave/semaphore/s/limit', '8', 1n)];
        const { holders } = divide(withinLimit, { tickets: all.slice(0, count), settings: before });
        const changedAt = revisionOf(count) - 1n;
        const after = [
          kv('conclave/semaphore/s/limit', String(limit), changedAt),
          kv(`conclave/semaphore/s/${limitBefore}`, '8', changedAt),
        ];
        const now = dividePermits({ tickets: all, settings: after }).holders;
        const fitting = divide(withinLimit, { tickets: all, settings: after }).holders;
        const expected = all.filter((each, i) => (i < count ? holders : fitting).includes(each));
        expect(now).toEqual(expected);
      }),
    );
  });
});

/** Somebody in a line, and who is older. */
function scenes(): fc.Arbitrary<{
  older: readonly KeyValue[];
  mine: KeyValue;
  settings: readonly KeyValue[];
}> {
  return fc.tuple(tickets, wishes, settings).map(([older, wish, set]) => ({
    older,
    mine: ticket(older.length, typeof wish === 'string' ? wish : encodeTicket(holder, 0, wish)),
    settings: set,
  }));
}

function verdict(
  rule: Rule,
  older: readonly KeyValue[],
  mine: KeyValue,
  set: readonly KeyValue[],
): boolean | 'never' {
  try {
    return rule(older, mine, set);
  } catch (error) {
    if (error instanceof ConflictError) return 'never';
    throw error;
  }
}

function downgraded(each: KeyValue): KeyValue {
  const content = readContent(each);
  return content ? { ...each, value: Buffer.from(JSON.stringify({ ...content, mode: 'read' })) } : each;
}

function limitOf([limit]: readonly KeyValue[]): number {
  return Number(Buffer.from(limit?.value ?? []).toString());
}

function asModel(each: KeyValue): Parameters<ModelRule['mayPass']>[1] {
  const content = readContent(each);
  return {
    key: Buffer.from(each.key).toString(),
    line: 's',
    name: '',
    create: each.createRevision,
    mod: each.modRevision,
    lease: each.lease,
    mode: content?.mode ?? 'write',
    permits: content?.weight ?? Infinity,
    value: '',
  };
}

function ticket(place: number, value: string): KeyValue {
  return kv(`conclave/semaphore/s/t/${place}-1`, value, revisionOf(place));
}

function revisionOf(place: number): bigint {
  return BigInt(10 + 2 * place);
}

function kv(key: string, value: string, revision: bigint): KeyValue {
  return {
    key: Buffer.from(key),
    value: Buffer.from(value),
    createRevision: revision,
    modRevision: revision,
    version: 1n,
    lease: 0n,
  };
}
