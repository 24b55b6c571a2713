import fc from 'fast-check';
import { actorCount } from '../actor.js';
import { faultsAt, type Fault, type Mishap } from '../steps.js';
import type { Setting } from './model.js';

interface By {
  /** The place of an actor. */
  readonly by: number;
}

interface Which {
  /** Of those there are at the moment: counted through, and around. */
  readonly which: number;
}

export interface JobWish {
  readonly id: string | undefined;
  readonly priority: number;
  readonly group: string | undefined;
  readonly runInMs: number | undefined;
  readonly expiresInMs: number | undefined;
  readonly attempts: number;
}

export type QueueMove =
  | (By & { readonly do: 'enqueue'; readonly jobs: readonly JobWish[] })
  | (By & { readonly do: 'receive'; readonly timeoutMs: number | undefined })
  | (Which & { readonly do: 'giveUp' | 'ack' | 'fail' | 'release' | 'progress' })
  | (Which & { readonly do: 'retry'; readonly delayMs: number | undefined })
  | (By & Which & { readonly do: 'cancel' | 'waitFor' | 'retryDead' | 'dropDead' })
  | (By & { readonly do: 'pauseQueue' | 'resumeQueue' | 'retryAllDead' | 'close' })
  /** Floors of lanes are moved; far enough behind, if others have written something meanwhile that is not of this queue. */
  | (By & { readonly do: 'moveFloors' })
  | { readonly do: 'elsewhere' };

export type QueueStep = (
  (QueueMove & { readonly mishap?: Mishap | undefined }) | Fault<QueueProbe> | { readonly do: 'pass' }
) & {
  /** The time that passes then, milliseconds; 0 lets everything run that needs none; undefined: not even that. */
  readonly thenMs: number | undefined;
};

export interface QueueSchedule {
  /** Of the world: ids, jitter, delays. */
  readonly seed: number;
  readonly setting: Setting;
  readonly steps: readonly QueueStep[];
}

/** Points that the code of the library passes, in the middle of something. */
const probes = [
  'session.granted',
  'queue.claim',
  'queue.claimed',
  'queue.settled',
  'queue.orphans',
  'queue.reclaimed',
  'queue.promoted',
  'ticket.taken',
  'line.filled',
  'once.done',
  'hold.granted',
  'hold.release',
] as const;
export type QueueProbe = (typeof probes)[number];

export const keepMs = 60_000;

const by = fc.nat({ max: actorCount - 1 });
const which = fc.nat({ max: 7 });

/** Most of them plain: so that they stand in one lane. */
const wish: fc.Arbitrary<JobWish> = fc.record({
  id: fc.constantFrom(undefined, undefined, undefined, 'x', 'y'),
  priority: fc.constantFrom(0, 0, 0, 0, 1),
  group: fc.constantFrom(undefined, undefined, undefined, 'g', 'g', 'h'),
  runInMs: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, undefined, 100, 2_000),
  expiresInMs: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    1_500,
  ),
  attempts: fc.constantFrom(1, 2, 3),
});

const mishap: fc.Arbitrary<Mishap> = fc.oneof(
  fc.record({
    do: fc.constant('lose'),
    part: fc.constantFrom('request', 'reply', 'reply'),
    isSilent: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('late'),
    part: fc.constantFrom('copy', 'copy', 'request', 'reply'),
    lateMs: fc.constantFrom(5, 200, 1_500, 6_000, 30_000),
    isSilent: fc.boolean(),
  }),
);

const moves: fc.WeightedArbitrary<QueueMove>[] = [
  {
    weight: 26,
    arbitrary: fc.record({
      do: fc.constant('enqueue'),
      by,
      jobs: fc.oneof(
        { weight: 3, arbitrary: fc.tuple(wish) },
        { weight: 1, arbitrary: fc.array(wish, { minLength: 2, maxLength: 4 }) },
      ),
    }),
  },
  {
    weight: 24,
    arbitrary: fc.record({
      do: fc.constant('receive'),
      by,
      timeoutMs: fc.constantFrom(undefined, undefined, 0, 0, 200, 5_000),
    }),
  },
  { weight: 14, arbitrary: fc.record({ do: fc.constant('ack'), which }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('retry'), which, delayMs: fc.constantFrom(undefined, 0, 300) }),
  },
  {
    weight: 7,
    arbitrary: fc.record({ do: fc.constantFrom('fail', 'release', 'release', 'progress'), which }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('giveUp'), which }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('cancel', 'cancel', 'waitFor'), by, which }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('retryDead', 'retryDead', 'dropDead'), by, which }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('retryAllDead', 'close'), by }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('pauseQueue', 'resumeQueue', 'resumeQueue'), by }),
  },
];

const mostSteps = 60;

export function queueSchedules(): fc.Arbitrary<QueueSchedule> {
  const pass = { weight: 6, arbitrary: fc.constant({ do: 'pass' }) } as const;
  const move = fc
    .tuple(
      fc.oneof(...moves),
      fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: mishap }),
    )
    .map(([what, how]) => (how ? { ...what, mishap: how } : what));
  const deed = fc.oneof(pass, { weight: 95, arbitrary: move }, ...faultsAt(probes));
  const thenMs = fc.constantFrom(0, 0, 0, undefined, undefined, 1, 60, 300, 1_000, 2_500, 6_000);
  const step: fc.Arbitrary<QueueStep> = fc.tuple(deed, thenMs).map(([what, ms]) => ({ ...what, thenMs: ms }));
  return fc.record({
    seed: fc.noShrink(fc.nat({ max: 0x7fffffff })),
    setting: fc.record({
      groupConcurrency: fc.constantFrom(1, 2),
      maxRunning: fc.constantFrom(undefined, undefined, 2),
      maxCrashes: fc.constant(2),
      keepMs: fc.constant(keepMs),
    }),
    // Without bias: fast-check begins with short ones, in which nothing is left to take.
    steps: fc.noBias(fc.array(step, { maxLength: mostSteps, size: 'max' })),
  });
}
