import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Enqueuer } from '../../src/queue/enqueuer.js';
import { Lane } from '../../src/queue/lane.js';
import type * as arriving from '../../src/queue/landing.js';
import type * as moving from '../../src/queue/moves.js';
import type * as settlement from '../../src/queue/settle.js';
import { Permits } from '../../src/queue/permits.js';
import { Retention } from '../../src/queue/retention.js';
import { Search } from '../../src/queue/search.js';
import { Ticket } from '../../src/session/ticket.js';
import type { RangeLike } from '../../src/store/operations.js';
import { runQueue } from './queue/run.js';
import { keepMs, type QueueSchedule, queueSchedules } from './queue/steps.js';

type Moves = typeof moving;
type Settling = typeof settlement;
type Landing = typeof arriving;

interface Broken {
  moves: Partial<Moves>;
  settle: Settling['settle'] | undefined;
  putJobUnlessKnown: Landing['putJobUnlessKnown'] | undefined;
  /** Conditions on keys that contain this always hold. */
  unchecked: string | undefined;
}

/** What takes the place of the library's: then the model has to find it. */
const broken = vi.hoisted((): Broken => ({
  moves: {},
  settle: undefined,
  putJobUnlessKnown: undefined,
  unchecked: undefined,
}));

vi.mock(import('../../src/queue/moves.js'), async (original) => {
  const moves = await original();
  const unlessBroken = <Name extends 'toReady' | 'toDelayed' | 'toDead' | 'toEnd'>(name: Name): Moves[Name] =>
    ((...parts: Parameters<Moves[Name]>) =>
      ((broken.moves[name] ?? moves[name]) as (...all: typeof parts) => moving.Move)(
        ...parts,
      )) as Moves[Name];
  return {
    ...moves,
    toReady: unlessBroken('toReady'),
    toDelayed: unlessBroken('toDelayed'),
    toDead: unlessBroken('toDead'),
    toEnd: unlessBroken('toEnd'),
  };
});
vi.mock(import('../../src/queue/settle.js'), async (original) => {
  const settling = await original();
  return { ...settling, settle: (...parts) => (broken.settle ?? settling.settle)(...parts) };
});
vi.mock(import('../../src/queue/landing.js'), async (original) => {
  const landing = await original();
  return {
    ...landing,
    putJobUnlessKnown: (...parts) => (broken.putJobUnlessKnown ?? landing.putJobUnlessKnown)(...parts),
  };
});
vi.mock(import('../../src/store/operations.js'), async (original) => {
  const operations = await original();
  const { compare } = operations;
  const holds = (target: RangeLike): ReturnType<typeof compare.modRevision> | undefined => {
    const key = Buffer.from(operations.toRange(target).key).toString();
    const isUnchecked = broken.unchecked !== undefined && key.includes(broken.unchecked);
    return isUnchecked ? compare.modRevision(target, '<', 1n << 62n) : undefined;
  };
  return {
    ...operations,
    compare: {
      ...compare,
      modRevision: (...parts) => holds(parts[0]) ?? compare.modRevision(...parts),
      createRevision: (...parts) => holds(parts[0]) ?? compare.createRevision(...parts),
      value: (...parts) => (holds(parts[0]) ? compare.value(parts[0], '>', '') : compare.value(...parts)),
    },
  };
});

afterEach(() => {
  Object.assign(broken, { moves: {}, settle: undefined, putJobUnlessKnown: undefined, unchecked: undefined });
  vi.restoreAllMocks();
});

const original = await vi.importActual<Moves>('../../src/queue/moves.js');
const settling = await vi.importActual<Settling>('../../src/queue/settle.js');
const landing = await vi.importActual<Landing>('../../src/queue/landing.js');

/** To be called with its own `this`. */
function methodOf<Of extends object, Name extends keyof Of>(of: Of, name: Name): Of[Name] {
  return Object.getOwnPropertyDescriptor(of, name)?.value as Of[Name];
}

const unchecked = (keys: string) => (): void => void (broken.unchecked = keys);

describe('a broken promise of a queue is found', () => {
  it.each<[what: string, finding: string, plant: () => void]>([
    ['two have a job', 'held by two', unchecked('/ready/')],
    [
      'whoever has lost a job settles it',
      'and this is left',
      () => {
        vi.spyOn(Ticket.prototype, 'guards').mockReturnValue([]);
      },
    ],
    [
      'an ack is confirmed, and not done',
      'ack was confirmed',
      () => {
        broken.settle = (parts, job, disposition, onEnd) =>
          disposition.kind === 'completed'
            ? Promise.resolve(true)
            : settling.settle(parts, job, disposition, onEnd);
      },
    ],
    [
      'an enqueue is confirmed, and not done',
      'was confirmed as',
      () => {
        vi.spyOn(Enqueuer.prototype, 'put').mockImplementation((drafts) =>
          Promise.resolve(drafts.map(({ id }) => ({ id, created: true }))),
        );
      },
    ],
    [
      'a job comes from nowhere',
      'nobody has put',
      () => {
        broken.putJobUnlessKnown = (layout, { id, body }, ...rest) =>
          landing.putJobUnlessKnown(layout, { id, body: { ...body, value: { tag: 'another' } } }, ...rest);
      },
    ],
    [
      'a job is put although there is one of its name',
      'its body was written again',
      () => {
        broken.unchecked = '/job/';
      },
    ],
    [
      'a job is lost when it is given back',
      'in 0 places',
      () => {
        broken.moves.toReady = (...parts) => ({ ...original.toReady(...parts), then: [] });
      },
    ],
    [
      'the last comes first',
      'was taken before',
      () => {
        const keyOf = methodOf(Lane.prototype, 'keyOf');
        vi.spyOn(Lane.prototype, 'keyOf').mockImplementation(function (this: Lane, revision, index, id) {
          return keyOf.call(this, revision, 99 - index, id);
        });
      },
    ],
    [
      'nothing is there, they say',
      'nothing was there',
      () => {
        const first = methodOf(Search.prototype, 'first');
        vi.spyOn(Search.prototype, 'first').mockImplementation(async function (this: Search, ...parts) {
          const found = await first.call(this, ...parts);
          return found.revision % 2n === 0n ? { ...found, jobs: [] } : found;
        });
      },
    ],
    ['a job is taken from a queue that is paused', 'taken while the queue was paused', unchecked('/paused')],
    [
      'a name is forgotten',
      'its id is forgotten',
      () => {
        vi.spyOn(Retention.prototype, 'moveToEnd').mockImplementation((layout, job) =>
          Promise.resolve(original.toEnd(layout, job)),
        );
      },
    ],
    [
      'a name is forgotten too early',
      'was remembered for',
      () => {
        const lease = methodOf(Retention.prototype, 'lease');
        vi.spyOn(Retention.prototype, 'lease').mockImplementation(function (this: Retention) {
          Object.assign(this, { keepMs: 20_000 });
          return lease.call(this);
        });
      },
    ],
    [
      'a job that waits keeps its slot',
      'its slots are',
      () => {
        broken.moves.toDelayed = (...parts) => {
          const { then, ...rest } = original.toDelayed(...parts);
          return { ...rest, then: then.filter(({ kind }) => kind === 'put') };
        };
      },
    ],
    [
      'more run than may',
      'jobs run',
      () => {
        vi.spyOn(Permits.prototype, 'with').mockImplementation((_wait, take) => take());
      },
    ],
    [
      'too few run',
      'a permit is free',
      () => {
        const take = methodOf(Permits.prototype, 'with');
        vi.spyOn(Permits.prototype, 'with').mockImplementation(function (this: Permits, wait, ...rest) {
          if (wait.immediate) {
            wait.obstacle = '; 2 jobs run already';
            throw wait.timeout();
          }
          return take.call(this, wait, ...rest);
        });
      },
    ],
    [
      'a failure does not count',
      'a failure was miscounted',
      () => {
        broken.moves.toDelayed = (layout, job, due) =>
          original.toDelayed(layout, { ...job, record: { ...job.record, failures: 0 } }, due);
      },
    ],
    [
      'a crash does not count',
      'a crash was miscounted',
      () => {
        broken.moves.toReady = (layout, job, ...rest) =>
          original.toReady(layout, { ...job, record: { ...job.record, crashes: 0 } }, ...rest);
      },
    ],
    [
      'a last failure does not count',
      'a last failure was miscounted',
      () => {
        broken.moves.toDead = (layout, job, ...rest) =>
          original.toDead(layout, { ...job, record: { ...job.record, failures: 0 } }, ...rest);
      },
    ],
    ['what is cancelled is tried again', 'although it was cancelled', unchecked('/cancel/')],
    [
      'something is left of a job',
      'and this is left',
      () => {
        broken.moves.toEnd = (...parts) => {
          const { then, ...rest } = original.toEnd(...parts);
          return { ...rest, then: then.slice(0, 1) };
        };
      },
    ],
    [
      'a job is never done',
      'has not ended',
      () => {
        broken.moves.toDelayed = (layout, job, due) => original.toDelayed(layout, job, due + 3_600_000);
      },
    ],
  ])('%s', { timeout: 120_000 }, async (_what, finding, plant) => {
    plant();
    const found = new Set<string>();
    for (const schedule of fc.sample(queueSchedules(), { seed: 1, numRuns: 80 })) {
      const { violations } = await runQueue(schedule);
      if (violations.some((violation) => violation.includes(finding))) return;
      for (const violation of violations) found.add(violation);
    }
    expect.fail(`not found: ${finding}; but ${[...found].join('\n') || 'nothing'}`);
  });
});

it('a job that is put below the floor is found', async () => {
  broken.unchecked = '/floor/';
  const job = {
    ...{ id: undefined, priority: 0, group: undefined, runInMs: undefined, expiresInMs: undefined },
    attempts: 1,
  };
  const schedule: QueueSchedule = {
    seed: 1,
    setting: { groupConcurrency: 1, maxRunning: undefined, maxCrashes: 2, keepMs },
    steps: [
      { do: 'enqueue', by: 1, jobs: [job], thenMs: 0 },
      { by: 0, aim: 'take', do: 'late', part: 'request', lateMs: 1_500, isSilent: true, thenMs: 0 },
      { do: 'enqueue', by: 0, jobs: [job], thenMs: 0 },
      { do: 'receive', by: 1, timeoutMs: 0, thenMs: 0 },
      { do: 'elsewhere', thenMs: 0 },
      { do: 'elsewhere', thenMs: 0 },
      { do: 'moveFloors', by: 1, thenMs: 2_500 },
    ],
  };
  const { violations } = await runQueue(schedule);
  expect(violations).toContainEqual(expect.stringContaining('stands below the floor'));
});

it('the same schedule goes the same way again', async () => {
  const [schedule, other] = fc.sample(queueSchedules(), { seed: 1, numRuns: 2 });
  if (!schedule || !other) throw new Error('no schedules');
  const { traceHash } = await runQueue(schedule);
  expect((await runQueue(schedule)).traceHash).toBe(traceHash);
  expect((await runQueue(other)).traceHash).not.toBe(traceHash);
});
