import { setTimeout as delay } from 'node:timers/promises';
import { get, type Hold } from '../../../src/index.js';
import { untilWriteIsStuck } from '../nemesis/disk.js';
import { othersThan } from '../nemesis/targets.js';
import { Rig } from '../rig/rig.js';
import { Recorder } from '../recorder.js';
import { Watched } from './clients.js';
import type { Scenario, Stand } from './scenario.js';
import { abortedAt, ending, guardMs, until } from './until.js';

const ttlMs = 5_000;
const stallMs = 12_000;
const clients = 5;

/**
 * The leader's disk stalls for 12 seconds with a write under way. Another leads meanwhile, and renews what it is asked to;
 * when the disk goes on, the old one revokes every lease before it learns that it leads no more. No client can know.
 */
export const earlyRevoke: Scenario = {
  number: 11,
  title: 'Leases that a stalled leader revokes although they were renewed: holders are told, and fenced',
  tier: 'P',
  needs: ['strace'],
  repetitions: { full: 3, tenth: 1 },
  async run(stand, repetitions) {
    const times: number[] = [];
    for (let time = 0; time < repetitions; time++) times.push(...(await stallOnce(stand)));
    stand.figure('leases revoked early', `${times.length} of ${repetitions * clients}`);
    stand.spread('loss told after it was seen', times);
    stand.expect(times.length > 0, 'no lease was revoked early: nothing was shown');
  },
};

/** @returns when the loss of each lease that was revoked early was told, after somebody else saw it */
async function stallOnce(stand: Stand): Promise<number[]> {
  await using rig = await Rig.start({ tier: 'loopback', clients: 1, fsync: true });
  await using recorder = new Recorder(rig.endpoints);
  const leader = await until('there is a leader', () => rig.leader());
  const followers = othersThan(rig.members, leader).map((member) => rig.endpoints[member] ?? '');
  const watched = Array.from({ length: clients }, () => new Watched(followers, { sessionTtlMs: ttlMs }));
  try {
    const holds = await Promise.all(watched.map(({ conclave }, i) => conclave.mutex(`m${i}`).acquire()));
    const disk = await rig.stallDisk(leader, stallMs);
    await untilWriteIsStuck(rig, leader);
    const stories = holds.map((hold, i) => lossOf(stand, { recorder, watched: watched[i], hold }));
    await disk.over;
    // What the old leader revokes, it revokes before it has heard of the new one.
    await delay(2_000);
    return (await Promise.all(stories.map((story) => story()))).filter((ms) => ms !== undefined);
  } finally {
    await Promise.all(watched.map((each) => each[Symbol.asyncDispose]()));
  }
}

interface Story {
  readonly recorder: Recorder;
  readonly watched: Watched | undefined;
  readonly hold: Hold;
}

/** Watches a hold from now on. @returns what tells how late its loss was told; undefined if it was not lost */
function lossOf(stand: Stand, { recorder, watched, hold }: Story): () => Promise<number | undefined> {
  const fence = hold.guard();
  let goneAt: number | undefined;
  const stop = recorder.onChange(({ key, type }) => {
    if (key === hold.key && type === 'delete') goneAt = performance.now();
  });
  const told = abortedAt(hold.signal);
  return async () => {
    stop();
    if (goneAt === undefined || !watched) return undefined;
    const { store } = watched.conclave;
    const toldAt = await Promise.race([told, delay(guardMs, Infinity, { ref: false })]);
    stand.expect(toldAt < Infinity, `the loss of ${hold.key} was not told`);
    stand.expect(!hold.isHeld(), `${hold.key} is gone, and said to be held`);
    const late = await store.txn({ if: fence, then: [get('nothing')] });
    stand.expect(!late.succeeded, `the fence of ${hold.key} lets pass what comes after its end`);
    const name = hold.key.split('/').at(-2) ?? '';
    const again = await ending(watched.conclave.mutex(name).acquire({ timeoutMs: guardMs }));
    stand.expect(again.value !== undefined, `${name} was not acquired again: ${String(again.error)}`);
    return toldAt - goneAt;
  };
}
