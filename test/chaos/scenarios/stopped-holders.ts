import { isStanding, livesOf } from '../../history/lives.js';
import { type Note, notesOf, operationsOf, type Violation } from '../../history/record.js';
import type { Evidence } from '../../workload/workload.js';
import { judge } from '../judge.js';
import { clientsPerLock, lockOf, registerOf } from '../loads/register.js';
import type { Player } from '../player.js';
import { namespace, Stage } from '../stage.js';
import type { Scenario, Stand } from './scenario.js';
import { expectJudged } from './under-faults.js';
import { until } from './until.js';

const ttlMs = 2_000;
/** The longest that was measured is 10 ms. */
const atOnceMs = 500;
/** Where a holder stops, a lock for each. */
const points = ['hold.granted', 'use.begin', 'use.write', 'use.sent', 'hold.release', 'keep-alive.send'];

/** What was seen of holders that stood still past their TTL while the next one held. */
export interface Stops {
  readonly evidence: Evidence;
  /** Writes of those whose ticket was gone. */
  readonly accepted: number;
  readonly refused: number;
  /** Writes that had no answer, however often they were tried. */
  readonly gaveUp: number;
  readonly violations: readonly Violation[];
}

/** Scenarios 9 and 10 look at the same run. */
const runs = new Map<string, Promise<Stops>>();

function stopsOf({ seed }: Stand, repetitions: number): Promise<Stops> {
  const name = `${seed}/${repetitions}`;
  const known = runs.get(name) ?? stopHolders({ workload: 'register', points, repetitions, seed });
  runs.set(name, known);
  return known;
}

export interface StopOptions {
  readonly workload: 'register' | 'unfenced-register';
  readonly points: readonly string[];
  readonly repetitions: number;
  readonly seed: number;
}

export async function stopHolders({ workload, points, repetitions, seed }: StopOptions): Promise<Stops> {
  const clients = points.length * clientsPerLock;
  await using stage = await Stage.start({ workload, tier: 'loopback', clients, ttlMs, seed });
  await Promise.all(
    points.map(async (probe, lock) => {
      for (let time = 0; time < repetitions; time++)
        await stopHolder(stage, stage.player(lock * clientsPerLock + (time % 2)), probe);
    }),
  );
  const ended = await stage.end();
  const evidence = await stage.evidence();
  const violations = [...ended, ...judge(stage.workload, evidence)];
  stage.conclude(evidence, workload === 'register' ? violations : []); // of a control they are as they must be
  const notes = notesOf(evidence.entries);
  const count = (end: string): number => notes.filter(({ what }) => what === end).length;
  return {
    evidence,
    accepted: staleWritesIn(evidence),
    refused: count('refused'),
    gaveUp: count('gave up'),
    violations,
  };
}

/** How many were made under a ticket that was gone. */
function staleWritesIn({ changes }: Evidence): number {
  const lives = new Map(livesOf(changes).map((life) => [life.createRevision, life]));
  return changes.filter(({ key, type, value, revision }) => {
    if (!key.startsWith('app/') || type === 'delete') return false;
    const ticket = lives.get(tokenIn(value));
    return !ticket || !isStanding(ticket, revision - 1);
  }).length;
}

/** Stops it at the point while it holds, until another one has written under the lock; resumes it. */
async function stopHolder(stage: Stage, player: Player, probe: string): Promise<void> {
  const lock = lockOf(player.place);
  for (;;) {
    player.aim({ probe, nth: 1, act: 'stop' });
    await until(`${player.name} stops at ${probe}`, () => player.isStopped());
    await stage.recorder.catchUp();
    const token = tokenOf(stage, player, lock);
    if (token !== undefined)
      await until(`another one writes under ${lock}`, () => lastToken(stage, lock) > token);
    await resume(player);
    if (token !== undefined) return;
  }
}

/** Resolves once it has ended a round. */
async function resume(player: Player): Promise<void> {
  const { rounds } = player;
  player.resume();
  await until(`${player.name} goes on`, () => player.rounds > rounds);
}

/** Of the ticket with which it holds the lock. */
function tokenOf({ recorder }: Stage, { name }: Player, lock: string): number | undefined {
  const line = `${namespace}/lock/${lock}/`;
  const tickets = recorder.standing.filter(({ key }) => key.startsWith(line));
  const [oldest] = tickets.sort((a, b) => a.createRevision - b.createRevision);
  return oldest?.value.includes(`"name":"${name}"`) === true ? oldest.createRevision : undefined;
}

function lastToken({ recorder }: Stage, lock: string): number {
  return tokenIn(recorder.standing.find(({ key }) => key === registerOf(lock))?.value ?? '{"token":0}');
}

const tokenIn = (value: string): number => (JSON.parse(value) as { token: number }).token;

export const staleWrites: Scenario = {
  number: 9,
  title: `A holder stopped past its TTL at each of ${points.length} points: the store refuses its writes`,
  tier: 'P',
  needs: [],
  repetitions: { full: 15, tenth: 1 },
  async run(stand, repetitions) {
    const { evidence, accepted, refused, gaveUp, violations } = await stopsOf(stand, repetitions);
    stand.figure('holders stopped', repetitions * points.length);
    stand.figure('stale writes', `${accepted} accepted, ${refused} refused, ${gaveUp} without an answer`);
    expectJudged(stand, 'register', evidence);
    stand.expect(accepted === 0, `${accepted} stale writes were accepted`);
    // Whoever has sent its write before, or is about to give back, or was never told that it holds, has nothing to write.
    stand.expect(refused >= 2 * repetitions, 'those that were stopped have not tried to write');
    stand.add(violations);
  },
};

export const firstLooks: Scenario = {
  number: 10,
  title: 'On SIGCONT a hold is invalid at the first look, before any event, and its loss is told at once',
  tier: 'P',
  needs: [],
  repetitions: { full: 15, tenth: 1 },
  async run(stand, repetitions) {
    const { entries } = (await stopsOf(stand, repetitions)).evidence;
    const notes = notesOf(entries);
    const looks = notes.filter(({ what }) => what === 'first look');
    const blind = looks.filter(({ facts }) => facts['isHeld'] === true);
    stand.figure('first looks', `${looks.length}, ${blind.length} of them said that it was held`);
    stand.expect(looks.length >= 4 * repetitions, `only ${looks.length} holds were looked at`);
    stand.expect(blind.length === 0, `still held at the first look: ${JSON.stringify(blind)}`);
    const late = looks.filter(({ facts }) => facts['wasTold'] === true);
    stand.expect(late.length === 0, `something came before the first look: ${JSON.stringify(late)}`);
    // A hold that is being given back is not lost.
    const releases = operationsOf(entries).filter(({ call }) => call === 'release');
    const wasLost = ({ facts, at }: Note): boolean =>
      !releases.some(({ input, invokedAt }) => input['key'] === facts['key'] && invokedAt < at);
    const delays = looks.filter(wasLost).map((look) => lossDelay(notes, look));
    stand.spread('lost signal after SIGCONT', delays);
    stand.expect(
      delays.every((ms) => ms < atOnceMs),
      'a loss was told late, or not at all',
    );
  },
};

/** From the resumption to the loss of that hold; Infinity if it was not told. */
function lossDelay(notes: readonly Note[], look: Note): number {
  const isBefore = ({ what, client, at }: Note): boolean =>
    what === 'resumed' && client === look.client && at <= look.at;
  const lost = notes.find(({ what, facts }) => what === 'lost' && facts['key'] === look.facts['key']);
  return (lost?.at ?? Infinity) - (notes.findLast(isBefore)?.at ?? 0);
}
