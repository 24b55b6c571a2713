import { availableParallelism } from 'node:os';
import type { Probe } from '../../src/base/probes.js';
import type { Workload } from '../workload/workload.js';
import type { Check } from './check.js';
import { playScenarios } from './clusters.js';
import { playCorpus } from './corpus.js';
import { playTwice } from './determinism.js';
import { killMutants } from './kill.js';
import { playLasting } from './lasting.js';
import { mutants } from './mutants.js';
import { playPlacements } from './placements.js';
import { playSeeds } from './seeds.js';

/** Something that is run under a heading. */
export interface Program {
  readonly title: string;
  readonly text: string;
  readonly run: () => Promise<readonly Check[]>;
}

export interface PartsOptions {
  /** Of the checkout, with its final "/". */
  readonly root: string;
  readonly workloads: readonly Workload[];
  readonly isLong: boolean;
  /** Of seeds, of each processor. */
  readonly seconds: number;
  /** Small runs of each workload, at least. */
  readonly atLeast: number;
  /** Of seeds, on the wall: where others need the processors, or more seeds. */
  readonly maxSeconds: number;
  readonly firstSeed: number;
}

/** Where one fault, or two, are placed: all points that a lock and an election pass without a compaction. */
const places: readonly Probe[] = [
  'session.granted',
  'ticket.take',
  'ticket.taken',
  'ticket.waiting',
  'line.watching',
  'hold.granted',
  'hold.release',
  'keep-alive.send',
];

/** All parts of a run, in their order. */
export function partsOf({
  root,
  workloads,
  isLong,
  seconds,
  atLeast,
  maxSeconds,
  firstSeed,
}: PartsOptions): Record<string, Program> {
  const each = async (
    some: readonly Workload[],
    play: (workload: Workload) => Promise<Check>,
  ): Promise<Check[]> => {
    const checks: Check[] = [];
    for (const workload of some) checks.push(await play(workload));
    return checks;
  };
  const withTwoClients = workloads.filter(({ name }) => ['mutex', 'election'].includes(name));
  return {
    corpus: {
      title: 'What once failed',
      text: 'Plans of faults that have shown a bug of the library, or made a checker complain of what was right: none does again.',
      run: () => playCorpus(`${root}test/simulation/corpus.json`),
    },
    determinism: {
      title: 'Determinism',
      text: 'The same seed goes the same way: equal hashes over everything that was sent and delivered.',
      run: async () => [await playTwice(workloads, isLong ? 1_000 : 100)],
    },
    placements: {
      title: 'Two faults at every pair of places',
      text: `A crash, a pause longer than the TTL, a partition, or the end of the lease, at each of ${places.length} points that a client always passes (${places.join(', ')}), of each of two clients; and once more.`,
      run: () => each(withTwoClients, (workload) => playPlacements(workload, places, isLong ? 1 : 9)),
    },
    lasting: {
      title: 'What is never mended',
      text: 'One way between one client and one member is cut for ever.',
      run: () => each(workloads, (workload) => playLasting(workload, isLong ? 1 : 5)),
    },
    mutants: {
      title: 'Planted bugs',
      text: 'The library with one guard broken (or two that hide each other), the seed that showed it first, and the rule that it broke: it breaks it again.',
      run: () => killMutants(mutants),
    },
    scenarios: {
      title: 'Real clusters',
      text: 'Three members of etcd, clients in processes of their own, and what is done to them. Times are figures, not bounds.',
      run: () => playScenarios(isLong),
    },
    seeds: {
      title: 'Seeds',
      text: `Random clients, faults and clocks in virtual time, from seed ${firstSeed} on.`,
      run: () =>
        playSeeds({
          workloads,
          processes: Math.min(2, availableParallelism()),
          firstSeed,
          seconds,
          atLeast,
          timesReached: isLong ? 100 : 1,
          maxSeconds,
        }),
    },
  };
}
