import type { Probe } from '../../src/base/probes.js';
import type { Method } from '../../src/store/transport.js';
import type { Random } from '../../src/testing/random.js';

interface Timed {
  /** Virtual milliseconds from the beginning. */
  readonly at: number;
}

interface By {
  /** The seat of the client. */
  readonly by: number;
}

interface Lasting {
  /** After which it is undone. */
  readonly forMs: number;
}

/** What happens to whoever comes by a probe point, in the middle of something, or to what it asks of the store next. */
export type Sudden =
  'crash' | 'pause' | 'partition' | 'expire' | 'breakWatch' | 'loseReply' | 'delayRequest' | 'repeat';

/** Something that goes wrong, as data. */
export type Fault = Timed &
  (
    | (By & Lasting & { readonly do: 'pause' | 'suspend' })
    | (By &
        Lasting & {
          readonly do: 'partition';
          readonly blocks: 'both' | 'requests' | 'replies';
          readonly refuses: boolean;
          /** The way to one member only. */
          readonly member: number | undefined;
        })
    | (By & Lasting & { readonly do: 'slow' | 'lagWatches'; readonly upToMs: number })
    | (By & Lasting & { readonly do: 'staleTerms' })
    /** Another client takes its seat after `forMs`. */
    | (By & Lasting & { readonly do: 'crash' })
    | (By & { readonly do: 'jumpWall'; readonly ms: number })
    | (By & { readonly do: 'breakStreams'; readonly kind: 'watch' | 'keepAlive' })
    | (By & { readonly do: 'expire'; readonly stalledLeader: boolean })
    | (By & { readonly do: 'compactUnderWatches' })
    | (By & {
        readonly do: 'loseRequest' | 'loseReply' | 'repeat';
        readonly method: Method | 'keepAlive';
        readonly nth: number;
        readonly isSilent: boolean;
        readonly lateMs: number;
      })
    | (By & {
        readonly do: 'delayRequest' | 'delayReply';
        readonly method: Method | 'keepAlive';
        readonly nth: number;
        readonly isSilent: boolean;
        readonly lateMs: number;
      })
    | (By & Lasting & { readonly do: 'ambush'; readonly probe: Probe; readonly sudden: Sudden })
    | (Lasting & { readonly do: 'silence'; readonly member: number })
    | (Lasting & {
        readonly do: 'lagMember';
        readonly member: number;
        readonly ms: number;
        readonly readsStale: boolean;
      })
    | (Lasting & { readonly do: 'noSpace' })
    | { readonly do: 'compact' | 'leaderChange' }
  );

export type Kind = Fault['do'];

const kinds: readonly Kind[] = [
  'pause',
  'suspend',
  'partition',
  'slow',
  'lagWatches',
  'staleTerms',
  'crash',
  'jumpWall',
  'breakStreams',
  'expire',
  'compactUnderWatches',
  'loseRequest',
  'loseReply',
  'repeat',
  'delayRequest',
  'delayReply',
  'ambush',
  'silence',
  'lagMember',
  'noSpace',
  'compact',
  'leaderChange',
];

const suddens: readonly Sudden[] = [
  'crash',
  'pause',
  'pause',
  'partition',
  'expire',
  'breakWatch',
  'loseReply',
  'delayRequest',
  'repeat',
];
const methods: readonly Method[] = ['txn', 'txn', 'txn', 'txn', 'get', 'leaseGrant', 'leaseRevoke'];

/** Some kinds only: runs that suffer from everything at once find less (swarm testing, Groce et al., 2012). */
export function drawKinds(random: Random): readonly Kind[] {
  const share = random.between(0.1, 0.7);
  const some = kinds.filter(() => random.next() < share);
  return some.length > 0 ? some : ['ambush'];
}

export interface FaultScope {
  readonly kinds: readonly Kind[];
  readonly probes: readonly Probe[];
  readonly clients: number;
  readonly lengthMs: number;
}

export function drawFault(random: Random, { kinds, probes, clients, lengthMs }: FaultScope): Fault {
  const below = (end: number): number => Math.floor(random.between(0, end));
  const pick = <T>(list: readonly [T, ...T[]] | readonly T[]): T => list[below(list.length)] as T;
  const chance = (share: number): boolean => random.next() < share;
  const at = below(lengthMs);
  const by = below(clients);
  /** Mostly short, at times longer than a lease. */
  const forMs = chance(0.6) ? below(1_500) : below(8_000);
  const what = pick(kinds);
  const member = below(3);
  const request = {
    nth: 1 + below(3),
    isSilent: chance(0.5),
    lateMs: chance(0.5) ? below(500) : below(8_000),
  };
  switch (what) {
    case 'pause':
    case 'suspend':
    case 'crash':
    case 'staleTerms':
      return { at, by, forMs, do: what };
    case 'partition': {
      const blocks = pick(['both', 'requests', 'replies'] as const);
      return {
        at,
        by,
        forMs,
        do: what,
        blocks,
        refuses: chance(0.2),
        member: chance(0.4) ? member : undefined,
      };
    }
    case 'slow':
    case 'lagWatches':
      return { at, by, forMs, do: what, upToMs: chance(0.7) ? below(50) : below(2_000) };
    case 'jumpWall':
      return { at, by, do: what, ms: below(60_000) - 30_000 };
    case 'breakStreams':
      return { at, by, do: what, kind: pick(['watch', 'keepAlive'] as const) };
    case 'expire':
      return { at, by, do: what, stalledLeader: chance(0.5) };
    case 'compactUnderWatches':
      return { at, by, do: what };
    case 'loseRequest':
    case 'loseReply':
    case 'repeat':
      return { at, by, do: what, method: chance(0.1) ? 'keepAlive' : pick(methods), ...request };
    case 'delayRequest':
      return { at, by, do: what, method: pick(methods), ...request };
    case 'delayReply':
      return { at, by, do: what, method: chance(0.3) ? 'keepAlive' : pick(methods), ...request };
    case 'ambush':
      return { at, by, forMs, do: what, probe: pick(probes), sudden: pick(suddens) };
    case 'silence':
      return { at, forMs, do: what, member };
    case 'lagMember':
      return { at, forMs, do: what, member, ms: 1 + below(1_000), readsStale: chance(0.3) };
    case 'noSpace':
      return { at, forMs, do: what };
    case 'compact':
    case 'leaderChange':
      return { at, do: what };
  }
}
