import { Random } from '../../src/testing/random.js';
import type { Workload } from '../workload/workload.js';
import { drawFault, drawKinds, type Fault } from './faults.js';
import { probesOf } from './probes.js';

/** What a run is: all that is left to chance follows from it. Deleting faults leaves the rest as it was. */
export interface Plan {
  readonly workload: string;
  readonly seed: number;
  readonly ttlMs: number;
  /** One for each client: how fast its clocks go. */
  readonly clockRates: readonly number[];
  /** How long faults are struck, virtual milliseconds. */
  readonly lengthMs: number;
  /** Sorted by time. */
  readonly faults: readonly Fault[];
  /** Struck when all others are undone, and never undone: everybody has to get along with them. @default none */
  readonly lasting?: readonly Fault[];
  /** How long everybody may take for a round then. @default 60000 */
  readonly calmLimitMs?: number;
  /** How long all go on, at least, when nothing is wrong any more: what was left behind shows late. @default 0 */
  readonly quietMs?: number;
}

/** How long, how many, how rough. */
export interface Size {
  readonly name: 'micro' | 'full';
  readonly clients: readonly [low: number, high: number];
  readonly lengthMs: readonly [low: number, high: number];
  readonly faults: readonly [low: number, high: number];
}

export const micro: Size = { name: 'micro', clients: [2, 3], lengthMs: [300, 2_000], faults: [1, 8] };
export const full: Size = { name: 'full', clients: [3, 5], lengthMs: [10_000, 30_000], faults: [15, 60] };

export interface PlanOptions {
  readonly workload: string;
  /** It needs so many. */
  readonly clients: number;
  readonly seed: number;
  readonly size: Size;
}

/** The plan that a seed stands for. */
export function draw({ workload, clients: needed, seed, size }: PlanOptions): Plan {
  const random = new Random(seed ^ sumOf(`${workload} ${size.name}`));
  const whole = ([low, high]: readonly [number, number]): number => Math.floor(random.between(low, high + 1));
  const clients = Math.max(needed, whole(size.clients));
  const lengthMs = whole(size.lengthMs);
  const kinds = drawKinds(random);
  const probes = probesOf(workload);
  const faults = Array.from({ length: whole(size.faults) }, () =>
    drawFault(random, { kinds, probes, clients, lengthMs }),
  );
  const hasOddClocks = random.next() < 0.3;
  const ttlMs = random.next() < 0.5 ? 2_000 : 3_000;
  const clockRates = Array.from({ length: clients }, () => (hasOddClocks ? random.between(0.9, 1.1) : 1));
  const aimed = hasOddClocks && size.name === 'full' ? [cutOff(clockRates, whole([0, lengthMs]))] : [];
  // Else nothing would last longer than a lease in a small run.
  const isPatient = random.next() < 0.2;
  const ends = [...faults, ...aimed].map((fault) => ('forMs' in fault ? fault.at + fault.forMs : 0));
  return {
    workload,
    seed,
    ttlMs,
    clockRates,
    lengthMs: isPatient ? Math.max(lengthMs, ...ends) : lengthMs,
    faults: [...faults, ...aimed].sort((a, b) => a.at - b.at),
    quietMs: drawQuiet(random),
  };
}

/** Who has the slowest clock is cut off with what it holds, until that is another's: by chance this hardly ever happens. */
function cutOff(clockRates: readonly number[], at: number): Fault {
  const by = clockRates.indexOf(Math.min(...clockRates));
  return { at, by, do: 'ambush', probe: 'hold.granted', sudden: 'partition', forMs: 6_000 };
}

/** Mostly none; at times longer than a lease, or than it takes to recover from anything. */
function drawQuiet(random: Random): number {
  const chance = random.next();
  return chance < 0.94 ? 0 : chance < 0.99 ? 4_000 : 15_000;
}

/** The plan of a workload that a seed stands for. */
export function drawFor({ name, clients = 2 }: Workload, size: Size['name'], seed: number): Plan {
  return draw({ workload: name, clients, seed, size: size === 'full' ? full : micro });
}

/** So that one seed is another plan for each workload and size. */
function sumOf(text: string): number {
  return Buffer.from(text).reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), 0x811c9dc5);
}
