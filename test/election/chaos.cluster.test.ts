import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { isConclaveError } from '../../src/base/errors.js';
import { recorded, type Recorded } from '../lock/fixture.js';
import { ChaosRun } from '../rig/chaos-run.js';
import type { Crowd } from '../rig/crowd.js';
import { figure } from '../rig/figure.js';
import { peak, Recorder } from '../rig/history.js';
import { guardMs } from '../rig/patience.js';
import { Proxy } from '../rig/proxy.js';
import { outOfTurn, spansOf, strangers } from '../rig/turns.js';
import { Onlooker } from './onlooker.js';
import { placesOf, reignsIn } from './reigns.js';

const name = 'throne';
const oneAtATime = { limit: 1, weigh: (): number => 1 };
const wait = { timeout: guardMs, interval: 50 };
let run: ChaosRun;
let proxy: Proxy;
/** Each prefers another member; the last one sees the store through the proxy alone. */
let onlooking: Recorded[];
let seers: Onlooker[];

beforeAll(async () => {
  run = await ChaosRun.start('election-chaos');
  const { endpoints } = run.cluster;
  proxy = await Proxy.start(endpoints[0]!);
  const { namespace } = run;
  onlooking = [
    ...[0, 1, 2, 0].map((i) => recorded([...endpoints.slice(i), ...endpoints.slice(0, i)], { namespace })),
    recorded([proxy.endpoint], { namespace }),
  ];
  seers = onlooking.map(({ conclave }) => new Onlooker(conclave.election(name)));
});

afterAll(async () => {
  for (const seer of seers) await seer[Symbol.asyncDispose]();
  for (const each of onlooking) await each[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await run[Symbol.asyncDispose]();
});

it(
  'there is one leader at a time, and five observers see one history of leaders, while leaders and members are killed and stopped and the past is compacted',
  { timeout: ChaosRun.timeoutMs },
  async () => {
    const prefix = `${run.namespace}/election/${name}/`;
    await using recorder = new Recorder(run.observer);
    const [far, ...near] = [...seers].reverse();
    let compactedAt = 0n;

    /** Hides some leaders from the far one for ever, while nobody else is behind. */
    const compact = async (crowd: Crowd): Promise<void> => {
      await vi.waitFor(() => expect(crowd.count('acked')).toBeGreaterThan(20), wait);
      await proxy.set('refuse');
      const before = crowd.count('acked');
      await vi.waitFor(() => expect(crowd.count('acked')).toBeGreaterThan(before + 5), wait);
      await recorder.catchUp();
      const last = reignsIn(recorder.livesBelow(prefix)).at(-1)!;
      await vi.waitFor(
        () => expect(near.map(({ seen }) => seen.at(-1)!.revision >= last.from)).not.toContain(false),
        wait,
      );
      compactedAt = last.from;
      await vi.waitFor(async () => {
        const { store } = run.observer;
        await store.compact(compactedAt, { physical: true }).catch(unlessDone);
      }, wait);
      await proxy.set('pass');
    };
    await using crowd = await run.torment({ kind: 'election', name, pauseMs: 1_500 }, compact);

    await recorder.catchUp();
    const lives = recorder.livesBelow(prefix);
    const grants = crowd.marks('granted');
    expect(strangers(lives, [...grants, ...crowd.marks('acked')])).toEqual([]);
    expect(peak(spansOf(lives, grants, oneAtATime))).toBe(1);
    expect(outOfTurn(lives, grants, oneAtATime)).toEqual([]);

    const reigns = reignsIn(lives);
    const last = reigns.length - 1;
    const places = seers.map(
      ({ seen }) =>
        () =>
          placesOf(seen, reigns),
    );
    for (const look of places) await vi.waitFor(() => expect(look().at(-1)).toBe(last), wait);
    for (const look of places) {
      const seen = look();
      expect(seen).not.toContain(undefined);
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a! - b!));
      expect(seen.filter((place) => !reigns[place!]!.leader).length).toBeGreaterThan(2); // gaps, too
    }
    // Before the compaction nothing was left out by those who were not behind; and the other one was.
    const known = reigns.findLastIndex(({ from }) => from <= compactedAt);
    for (const seer of near) {
      const seen = placesOf(seer.seen, reigns).filter((place) => place! <= known);
      expect(seen).toEqual(Array.from({ length: known + 1 - seen[0]! }, (_, i) => seen[0]! + i));
    }
    expect(onlooking.at(-1)!.transport.compactedWatches).toBeGreaterThan(0);
    expect(far!.seen.length).toBeLessThan(reigns.length);
    figure('reigns', `${reigns.length}, seen by ${seers.map(({ seen }) => seen.length).join(', ')}`);
    expect(await run.leftovers()).toEqual([]);
  },
);

/** A compaction whose answer was lost is refused when it is tried again. */
function unlessDone(error: unknown): void {
  if (!isConclaveError(error, 'COMPACTED')) throw error;
}
