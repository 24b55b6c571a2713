import { get, prefix, toText } from '../../../src/index.js';
import { World } from '../../../src/testing/index.js';
import { mend } from '../mend.js';
import type { Sightings } from '../../lock/fuzz/sightings.js';
import type { RunResult } from '../run.js';
import { QueuePlayer, queuePrefix } from './player.js';
import type { QueueSchedule } from './steps.js';

/** From the last fault on: leases of the dead run out, late requests come, groups are looked at once a minute. */
const recoveryLimitMs = 300_000;
const patienceMs = 500;

/** Plays a schedule in a world of its own, mends it, lets one worker do what is left, and judges. */
export async function runQueue(schedule: QueueSchedule, sightings?: Sightings): Promise<RunResult> {
  const world = await World.open({ seed: schedule.seed });
  sightings?.follow(world);
  for (const keys of [queuePrefix, 'elsewhere']) world.allowKeys(keys);
  const violations: string[] = [];
  const report = (violation: string): void => void violations.push(violation);
  try {
    await play(world, schedule, report, (what) => sightings?.add(what));
    await world[Symbol.asyncDispose]();
  } catch (error) {
    report(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return { violations: [...new Set(violations)], traceHash: world.traceHash(), timeline: world.timeline() };
}

async function play(
  world: World,
  { setting, steps }: QueueSchedule,
  report: (violation: string) => void,
  see: (what: string) => void,
): Promise<void> {
  const player = new QueuePlayer(world, setting, { report, see });
  const { model, calls } = player;
  const history = world.store.listen(
    prefix(queuePrefix),
    {},
    {
      created: () => {},
      events: (revision, events) => model.apply(revision, events),
      ended: (error) => report(`the history has ended: ${String(error)}`),
    },
  );
  await world.settle();
  for (const step of steps) await player.play(step);
  mend(world, player.actors, player.armed);
  player.end();
  const worker = player.actorAt(0);
  const over = new AbortController();
  const working = player.queueOf(worker).work(() => {}, { signal: over.signal, concurrency: 2 });

  const remains = (): readonly string[] => [
    ...player.actors
      .filter(({ peer }) => peer.transport.routes.some(({ isQuiet }) => !isQuiet))
      .map(({ name }) => `requests of ${name} are under way`),
    ...calls.pending.map(({ doing, actor }) => `${actor.name} waits for its ${doing}`),
    ...(model.isPaused ? ['it is paused'] : []),
    ...model.open.map(({ id }) => `job ${id} has not ended`),
  ];
  const limit = world.now() + recoveryLimitMs;
  while (remains().length > 0 && world.now() < limit) {
    // Somebody may have paused it late.
    const isBeingSet = calls.pending.some(({ doing }) => doing === 'pause' || doing === 'resume');
    if (model.isPaused && !isBeingSet) player.setPaused(worker, false);
    await world.advance(patienceMs);
  }
  for (const what of remains()) report(`not within ${recoveryLimitMs} ms: ${what}`);
  over.abort();
  await world.run(working);

  const living = player.actors.filter(({ state }) => state !== 'crashed');
  await world.run(Promise.all(living.map((actor) => actor.close())));
  // What is kept for a while goes with its lease.
  await world.advance(setting.keepMs * 1.2 + 1_000);
  const { kvs } = world.engine.execute('get', get(prefix(queuePrefix)));
  const keys = kvs.map(({ key }) => toText(key).slice(queuePrefix.length));
  if (keys.join() !== [...model.keys.keys()].sort().join()) report('the model has missed something');
  for (const key of keys) if (!/^(floor|dead)\//.test(key)) report(`left: ${key}`);
  player.told.judge();
  history.cancel();
}
