import fc from 'fast-check';
import type { Probe } from '../../src/base/probes.js';
import { actorCount } from './actor.js';
import type { Change, Kind } from './kinds.js';
import type { Want } from './want.js';

/** Which requests a fault of the network hits. */
export type Aim = 'take' | 'removal' | 'txn' | 'get' | 'leaseGrant' | 'keepAlive';

interface By {
  /** The place of an actor. */
  readonly by: number;
}

interface Which {
  /** Of those there are at the moment: counted through, and around. */
  readonly which: number;
}

/** What clients do. */
export type Move =
  | (By & { readonly do: 'acquire'; readonly want: Want; readonly timeoutMs: number | undefined })
  | (By & { readonly do: 'try'; readonly want: Want })
  | (Which & { readonly do: 'cancel' })
  | (Which & { readonly do: 'release' })
  | (Which & { readonly do: 'write'; readonly way: 'commit' | 'guard' })
  | (Which & { readonly do: 'change'; readonly how: Change })
  | (By & { readonly do: 'resize'; readonly name: string; readonly limit: number })
  | (By & { readonly do: 'observe' | 'inspect'; readonly name: string })
  | (By & { readonly do: 'close' });

/** Points that the code of the library passes, in the middle of something. */
export type LockProbe = (typeof probes)[number];
const probes = [
  'session.granted',
  'ticket.take',
  'ticket.taken',
  'ticket.waiting',
  'line.watching',
  'line.filled',
  'hold.granted',
  'hold.release',
  'ticket.requeued',
  'ticket.rewritten',
  'once.done',
] as const;

/** What happens to a client there. */
export type Sudden = 'crash' | 'pause' | 'partition' | 'refuse' | 'expire';

/** What happens to them. */
export type Fault<At extends Probe = LockProbe> =
  | (By & { readonly do: 'expire'; readonly stalledLeader: boolean })
  | (By & {
      readonly do: 'crash' | 'pause' | 'suspend' | 'resume' | 'heal' | 'refuse' | 'compactUnderWatches';
    })
  | (By & { readonly do: 'partition'; readonly blocks: 'both' | 'requests' | 'replies' })
  | (By & { readonly do: 'latency' | 'lagWatches'; readonly upToMs: number })
  | (By & { readonly do: 'breakStreams'; readonly kind: 'watch' | 'keepAlive' })
  | (By & Mishap & { readonly aim: Aim })
  | (By & { readonly do: 'ambush'; readonly at: At; readonly fault: Sudden })
  | { readonly do: 'silence' | 'wake'; readonly member: number }
  | { readonly do: 'compact' | 'leaderChange' }
  | { readonly do: 'quota'; readonly isFull: boolean };

/** What befalls the next transaction of whoever makes a move: mostly the one that the move sends. */
export type Mishap =
  | { readonly do: 'lose'; readonly part: 'request' | 'reply'; readonly isSilent: boolean }
  | {
      readonly do: 'late';
      readonly part: 'request' | 'reply' | 'copy';
      readonly lateMs: number;
      readonly isSilent: boolean;
    };

export type Step = ((Move & { readonly mishap?: Mishap | undefined }) | Fault | { readonly do: 'pass' }) & {
  /** The time that passes then, milliseconds; 0 lets everything run that needs none; undefined: not even that. */
  readonly thenMs: number | undefined;
};

/** One run: everything that is left to chance. */
export interface Schedule {
  /** Of the world: ids, jitter, delays. */
  readonly seed: number;
  /** Of a semaphore: the limits are set beforehand. */
  readonly hasLimits: boolean;
  readonly steps: readonly Step[];
}

const by = fc.nat({ max: actorCount - 1 });
const which = fc.nat({ max: 5 });
const isSilent = fc.boolean();
const aim = fc.constantFrom<Aim>('take', 'take', 'removal', 'txn', 'txn', 'get', 'leaseGrant', 'keepAlive');
const thenMs = fc.constantFrom(0, 0, 0, undefined, undefined, 1, 60, 300, 1_000, 2_500, 6_000);

const mishap: fc.Arbitrary<Mishap> = fc.oneof(
  fc.record({
    do: fc.constant('lose'),
    part: fc.constantFrom('request', 'reply', 'reply'),
    isSilent,
  }),
  fc.record({
    do: fc.constant('late'),
    part: fc.constantFrom('copy', 'copy', 'request', 'reply'),
    lateMs: fc.constantFrom(5, 200, 1_500, 6_000),
    isSilent,
  }),
);
const noMishap: fc.Arbitrary<undefined> = fc.constant(undefined);

function movesOf(kind: Kind): fc.WeightedArbitrary<Move>[] {
  const { wants } = kind;
  const timeoutMs = fc.constantFrom(undefined, undefined, undefined, 0, 200, 2_000, 20_000);
  const moves: fc.WeightedArbitrary<Move>[] = [
    { weight: 28, arbitrary: fc.record({ do: fc.constant('acquire'), by, want: wants, timeoutMs }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('try'), by, want: wants }) },
    { weight: 20, arbitrary: fc.record({ do: fc.constant('release'), which }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('cancel'), which }) },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant('write'), which, way: fc.constantFrom('commit', 'guard') }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('close'), by }) },
  ];
  const name = fc.constantFrom('a', 'a', 'a', 'b');
  const look = kind.inspect ? 'inspect' : 'observe';
  moves.push({ weight: 6, arbitrary: fc.record({ do: fc.constant(look), by, name }) });
  if (kind.changes.length > 0)
    moves.push({
      weight: 14,
      arbitrary: fc.record({ do: fc.constant('change'), which, how: fc.constantFrom(...kind.changes) }),
    });
  if (kind.name === 'semaphore') {
    const limit = fc.constantFrom(3, 2, 3, 4, 5);
    moves.push({ weight: 6, arbitrary: fc.record({ do: fc.constant('resize'), by, name, limit }) });
  }
  return moves;
}

/** @param at where to lie in ambush */
export function faultsAt<At extends Probe>(at: readonly At[]): fc.WeightedArbitrary<Fault<At>>[] {
  return [
    ...openly,
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('ambush'),
        by,
        at: fc.constantFrom(...at),
        fault: fc.constantFrom<Sudden>('crash', 'pause', 'partition', 'refuse', 'expire'),
      }),
    },
    ...ofTheStore,
  ];
}

const openly: fc.WeightedArbitrary<Fault<never>>[] = [
  { weight: 4, arbitrary: fc.record({ do: fc.constant('expire'), by, stalledLeader: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash'), by }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('pause', 'suspend'), by }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constantFrom('resume', 'heal', 'heal'), by }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse'), by }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('partition'),
      by,
      blocks: fc.constantFrom('both', 'requests', 'replies'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('latency', 'lagWatches'),
      by,
      upToMs: fc.constantFrom(0, 20, 300, 1_500),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('breakStreams'),
      by,
      kind: fc.constantFrom('watch', 'keepAlive'),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.tuple(by, aim, mishap).map(([who, what, how]) => ({ by: who, aim: what, ...how })),
  },
];

const ofTheStore: fc.WeightedArbitrary<Fault<never>>[] = [
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('silence', 'wake'), member: fc.nat({ max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('compact', 'leaderChange') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('compactUnderWatches'), by }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('quota'), isFull: fc.boolean() }) },
];

const mostSteps = 60;

export function schedules(kind: Kind): fc.Arbitrary<Schedule> {
  const pass = { weight: 6, arbitrary: fc.constant({ do: 'pass' }) } as const;
  const move = fc
    .tuple(
      fc.oneof(...movesOf(kind)),
      fc.oneof({ weight: 3, arbitrary: noMishap }, { weight: 1, arbitrary: mishap }),
    )
    .map(([what, how]) => (how ? { ...what, mishap: how } : what));
  const deed = fc.oneof(pass, { weight: 85, arbitrary: move }, ...faultsAt(probes));
  const step: fc.Arbitrary<Step> = fc.tuple(deed, thenMs).map(([what, ms]) => ({ ...what, thenMs: ms }));
  return fc.record({
    seed: fc.noShrink(fc.nat({ max: 0x7fffffff })),
    hasLimits: fc.constantFrom(true, true, true, true, true, false),
    // Without bias: fast-check begins with short ones, in which nobody waits for anybody.
    steps: fc.noBias(fc.array(step, { maxLength: mostSteps, size: 'max' })),
  });
}

/** The one of this number, counted through and around. */
export function chosen<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}
