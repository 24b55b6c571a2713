import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Compare } from '../../src/index.js';
import { Epoch } from '../../src/session/epoch.js';
import { Hold } from '../../src/session/hold.js';
import { limitIn, type Rule, weightOf } from '../../src/session/rules.js';
import { readContent } from '../../src/session/ticket-value.js';
import { election, type Kind, multiLock, mutex, rwLock, semaphore } from './kinds.js';
import { run } from './run.js';
import { type Schedule, schedules } from './steps.js';

/** A rule that takes the place of all of the library's: then the judges have to find it. */
const broken = vi.hoisted(() => ({ rule: undefined as Rule | undefined }));

vi.mock(import('../../src/session/rules.js'), async (original) => {
  const rules = await original();
  const unlessBroken =
    (rule: Rule): Rule =>
    (...standing) =>
      (broken.rule ?? rule)(...standing);
  return {
    ...rules,
    noOlderTicket: unlessBroken(rules.noOlderTicket),
    readersShare: unlessBroken(rules.readersShare),
    withinLimit: unlessBroken(rules.withinLimit),
  };
});

const timeout = 60_000;

afterEach(() => {
  broken.rule = undefined;
  vi.restoreAllMocks();
});

const oneOlderIsFine: Rule = (older) => older.length <= 1;

/** As in etcd's Go recipe: a reader does not care about writers that wait. */
const readersOvertake: Rule = (older, mine) => {
  const [mode, oldest] = [mine, older[0]].map((ticket) => ticket && readContent(ticket)?.mode);
  return mode === 'read' ? oldest !== 'write' : older.length === 0;
};

/** Forgets what it takes itself. */
const someAreLeft: Rule = (older, _mine, settings) =>
  older.reduce((sum, ticket) => sum + weightOf(ticket), 0) < (limitIn(settings) ?? 0);

/** The youngest passes first. */
const lastInFirstOut: Rule = (older) => older.length === 1;

describe('a broken rule is found', () => {
  it.each<[what: string, kind: Kind, rule: Rule]>([
    ['two hold a mutex', mutex, oneOlderIsFine],
    ['two hold a multi-lock', multiLock, oneOlderIsFine],
    ['readers overtake a writer', rwLock, readersOvertake],
    ['there is one permit too many', semaphore, someAreLeft],
    ['two lead', election, oneOlderIsFine],
    ['the second is served before the first', mutex, lastInFirstOut],
  ])('%s', { timeout }, async (_what, kind, rule) => {
    broken.rule = rule;
    await expectFinding(kind, 'was granted against the rule');
  });

  it('nobody is served', { timeout }, async () => {
    broken.rule = () => false;
    await expectFinding(mutex, 'may pass, and does not know');
  });
});

describe('another broken promise is found', () => {
  it.each([mutex, multiLock, rwLock, semaphore, election])(
    'a hold that believes in itself for too long: $name',
    { timeout },
    async (kind) => {
      vi.spyOn(Hold.prototype, 'isHeld').mockReturnValue(true);
      await expectFinding(kind, 'is believed to be held, and is gone');
    },
  );

  it('a guard that lets everything through', { timeout }, async () => {
    vi.spyOn(Hold.prototype, 'guard').mockReturnValue([]);
    await expectFinding(mutex, 'whose ticket is gone');
  });

  it('a late copy that puts a ticket', async () => {
    const guard = Object.getOwnPropertyDescriptor(Epoch.prototype, 'guard')?.value as Epoch['guard'];
    vi.spyOn(Epoch.prototype, 'guard').mockImplementation(function (this: Epoch) {
      return { ...guard.call(this), result: '>', operand: 0n } as Compare; // as long as the session lives
    });
    const want = { names: ['a'] };
    const schedule: Schedule = {
      seed: 1,
      hasLimits: false,
      steps: [
        { do: 'acquire', by: 0, want, timeoutMs: undefined, thenMs: 0 },
        { do: 'late', part: 'copy', by: 1, aim: 'take', lateMs: 6_000, isSilent: false, thenMs: 0 },
        { do: 'acquire', by: 1, want, timeoutMs: 200, thenMs: 300 },
      ],
    };
    const { violations } = await run(mutex, schedule);
    expect(violations).toContainEqual(expect.stringContaining('client-2 wants  and stands in a'));
  });
});

it.each([mutex, semaphore, election])('the same schedule goes the same way again: $name', async (kind) => {
  const [schedule, other] = fc.sample(schedules(kind), { seed: 1, numRuns: 2 });
  if (!schedule || !other) throw new Error('no schedules');
  const { traceHash } = await run(kind, schedule);
  expect((await run(kind, schedule)).traceHash).toBe(traceHash);
  expect((await run(kind, other)).traceHash).not.toBe(traceHash);
});

/** Some schedule shows it. */
async function expectFinding(kind: Kind, finding: string): Promise<void> {
  for (const schedule of fc.sample(schedules(kind), { seed: 1, numRuns: 500 })) {
    const { violations } = await run(kind, schedule);
    if (violations.some((violation) => violation.includes(finding))) return;
  }
  expect.fail(`nothing was found that ${finding}`);
}
