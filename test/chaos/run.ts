import { setTimeout as delay } from 'node:timers/promises';
import type { Violation } from '../history/record.js';
import { Random } from '../../src/testing/random.js';
import { aimedNames, aimedNemeses, aimedNemesis, isAimed } from './aimed.js';
import type { Struck } from './archive.js';
import { monotonicMs } from './client/paper.js';
import { judge } from './judge.js';
import { nemeses as allNemeses } from './nemesis/nemeses.js';
import { lackOf, MissedError, type Nemesis } from './nemesis/nemesis.js';
import { pick } from './nemesis/targets.js';
import { Stage, type StageOptions } from './stage.js';
import type { Evidence } from '../workload/workload.js';

export interface RunOptions extends StageOptions {
  /** By name; one after the other, drawn by the seed. None: no faults. */
  readonly nemeses: readonly string[];
  /** By name; they begin before the others and last until the end. @default [] */
  readonly throughout?: readonly string[];
  /** How long faults are struck. */
  readonly seconds: number;
  /** How long a fault lasts, milliseconds. @default [300, 3500] */
  readonly lengthMs?: readonly [low: number, high: number];
  /** How long it is quiet between two of them. @default [100, 1000] */
  readonly pauseMs?: readonly [low: number, high: number];
  /** Ends the faults when so many were struck. @default no limit */
  readonly limit?: number;
  /** Keeps the directory even if all was well. @default false */
  readonly keep?: boolean;
}

export interface RunResult {
  readonly violations: readonly Violation[];
  readonly evidence: Evidence;
  readonly schedule: readonly Struck[];
  /** From the last fault until everybody had ended a round. */
  readonly settledMs: number;
  /** How many there were of the leader, from when all members served to the end. */
  readonly elections: number;
  /** What it has left, if that was kept. */
  readonly directory: string | undefined;
}

/** Plays a workload on a cluster of its own, among faults, and judges it. Prints where to look if something was wrong. */
export async function run(options: RunOptions): Promise<RunResult> {
  await using stage = await Stage.start(options);
  try {
    const term = await stage.rig.term();
    const schedule = await suffer(stage, options);
    const calm = await stage.settle();
    const elections = (await stage.rig.term()) - term;
    const ended = await stage.end();
    const evidence = await stage.evidence();
    const violations = [...calm.violations, ...ended, ...judge(stage.workload, evidence)];
    const kept = { schedule, ...(options.keep !== undefined && { keep: options.keep }) };
    const directory = stage.conclude(evidence, violations, kept);
    if (violations.length > 0) console.log(`to repeat: ${commandOf(options)}`);
    return { violations, evidence, schedule, settledMs: calm.tookMs, elections, directory };
  } catch (error) {
    console.log(`to repeat: ${commandOf(options)}`);
    throw error;
  }
}

/** One fault after the other until the time is over; all are undone in the end. */
export async function suffer(stage: Stage, options: RunOptions): Promise<Struck[]> {
  const random = new Random(options.seed).split(0);
  const possible = named(stage, options.nemeses);
  const lasting = named(stage, options.throughout ?? []);
  for (const each of lasting) stage.tell(each.name);
  const undos = await Promise.all(lasting.map((each, i) => each.begin(stage, random.split(-1 - i))));
  const { lengthMs = [300, 3_500], pauseMs = [100, 1_000], limit = Infinity } = options;
  const end = performance.now() + options.seconds * 1_000;
  const passed = async (ms: number): Promise<unknown> =>
    delay(Math.min(ms, Math.max(0, end - performance.now())));
  const schedule: Struck[] = [];
  while (performance.now() < end && schedule.length < limit) {
    await passed(random.between(...pauseMs));
    // Drawn whether or not there is a fault, and whether or not it can begin: what comes later does not depend on it.
    const length = random.between(...lengthMs);
    const chance = random.split(schedule.length);
    if (possible.length === 0) await passed(length);
    else schedule.push(await strike(stage, pick(chance, possible), { random: chance, length }));
  }
  for (const undo of undos) await undo();
  return schedule;
}

/** What judges of workloads know some faults by. */
const kindsOf: Readonly<Record<string, readonly string[]>> = {
  'out of space': ['noSpace'],
  'the wall clock of a client jumps': ['jumpWall'],
  'the disk of the leader stalled': ['expire'],
};

/** Etcd 3.4 may answer with a state that is gone once a member was paused. Not so once a client was. */
export function maySoonReadStale(nemesis: string): boolean {
  return /^(a member|the leader) (stopped|frozen)|stalled/.test(nemesis);
}

async function strike(
  stage: Stage,
  nemesis: Nemesis,
  { random, length }: { readonly random: Random; readonly length: number },
): Promise<Struck> {
  const from = monotonicMs();
  const { name } = nemesis;
  stage.tell(name, { readsStale: maySoonReadStale(name) });
  for (const kind of kindsOf[name] ?? []) stage.tell(kind);
  try {
    const undo = await nemesis.begin(stage, random);
    await delay(length);
    await undo();
    return { nemesis: nemesis.name, from, to: monotonicMs() };
  } catch (error) {
    if (error instanceof MissedError) return { nemesis: name, from, to: monotonicMs(), isMissed: true };
    return { nemesis: nemesis.name, from, to: monotonicMs(), error: String(error) };
  }
}

/** @throws RangeError for a name that there is not: before a cluster is started for it */
export function checkNemeses(names: readonly string[]): void {
  const known = allNemeses.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name) && !isAimed(name));
  if (unknown === undefined) return;
  const all = [...known, ...aimedNames];
  throw new RangeError(
    `there is no nemesis '${unknown}'; there are\n${all.map((name) => `  ${name}`).join('\n')}`,
  );
}

/** @throws RangeError for a name that there is not, or a fault that this rig cannot do */
function named(stage: Stage, names: readonly string[]): Nemesis[] {
  checkNemeses(names);
  const known = [...allNemeses, ...aimedNemeses(stage)];
  return names.map((name) => {
    const found = known.find((each) => each.name === name) ?? aimedNemesis(stage, name);
    if (!found) throw new RangeError(`there is no nemesis '${name}'`);
    const lack = lackOf(found, stage.rig);
    if (lack !== undefined) throw new RangeError(`the nemesis '${name}' ${lack}`);
    return found;
  });
}

function commandOf(options: RunOptions): string {
  return `npm run chaos -- '${JSON.stringify(options)}'`;
}
