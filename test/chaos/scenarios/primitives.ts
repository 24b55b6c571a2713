import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../../src/index.js';
import { type Life, livesOf, livesRightBelow } from '../../history/lives.js';
import { type Operation, operationsOf } from '../../history/record.js';
import type { Evidence } from '../../workload/workload.js';
import { range } from '../nemesis/targets.js';
import { Rig } from '../rig/rig.js';
import { namespace } from '../stage.js';
import { agesOf, estatesIn } from './estates.js';
import type { Scenario, Stand } from './scenario.js';
import { deaths, playUnderFaults } from './under-faults.js';
import { ending, guardMs } from './until.js';

/** How much later than its TTL, from when somebody leads, a lease may end: the store looks now and then, and so do we. */
const expiryMs = 3_000;

/** Who stands in line for so much longer is not about to leave it. */
const settledMs = 500;

const pace = { lengthMs: [100, 2_500], pauseMs: [0, 800] } as const;

export const permits: Scenario = {
  number: 24,
  title:
    'A semaphore of five, 20 clients that are killed and stopped: never more permits than there are, none kept by the dead',
  tier: 'P',
  needs: [],
  /** Seconds. */
  repetitions: { full: 60, tenth: 8 },
  async run(stand, seconds) {
    const ttlMs = 2_000;
    const { evidence, elections } = await playUnderFaults(stand, {
      ...{ workload: 'permits-of-five', clients: 5, desks: 4, ttlMs, seconds, ...pace },
      nemeses: deaths,
    });
    const ages = agesOf(estatesIn(evidence, 'semaphore/'));
    stand.spread(`permits of the dead free again, TTL ${ttlMs} ms`, ages);
    stand.figure('elections meanwhile', elections);
    if (seconds >= 30) stand.expect(ages.length > 0, 'nobody died with a permit: nothing was shown');
    // Each new leader prolongs them by a TTL, and they do not end while there is none.
    stand.expect(
      ages.every((ms) => ms <= (elections + 1) * (ttlMs + expiryMs)),
      'permits of a client that was killed were kept',
    );
  },
};

export const readersAndWriters: Scenario = {
  number: 25,
  title: 'Readers and a writer never overlap; among readers that never cease a writer is served',
  tier: 'P',
  needs: [],
  repetitions: { full: 20, tenth: 4 },
  async run(stand, repetitions) {
    await playUnderFaults(stand, {
      ...{ workload: 'rw-lock', clients: 5, ttlMs: 2_000, seconds: Math.max(5, 2 * repetitions), ...pace },
      nemeses: [...deaths, 'a member killed'],
    });
    await serveWriters(stand, repetitions);
  },
};

async function serveWriters(stand: Stand, repetitions: number): Promise<void> {
  await using rig = await Rig.start({ tier: 'loopback', members: 1, clients: 1 });
  await using readers = await connect({ endpoints: rig.endpoints, namespace });
  await using writer = await connect({ endpoints: rig.endpoints, namespace });
  const stop = new AbortController();
  const reading = range(6).map(async () => {
    while (!stop.signal.aborted) await readers.rwLock('rw').read.run(() => delay(20));
  });
  const times: number[] = [];
  for (let time = 0; time < repetitions; time++) {
    const askedAt = performance.now();
    const { value, at, error } = await ending(writer.rwLock('rw').write.acquire({ timeoutMs: guardMs }));
    stand.expect(value !== undefined, `a writer was not served among readers: ${String(error)}`);
    times.push(at - askedAt);
    await value?.release();
  }
  stop.abort();
  await Promise.all(reading);
  stand.spread('a writer among readers waited', times);
}

export const elections: Scenario = {
  number: 26,
  title: 'Five candidates, leaders killed: one leads at a time, terms grow, and all who look on see the same',
  tier: 'P',
  needs: [],
  /** Seconds. */
  repetitions: { full: 60, tenth: 8 },
  async run(stand, seconds) {
    const { evidence } = await playUnderFaults(stand, {
      ...{ workload: 'election', clients: 5, ttlMs: 2_000, seconds, ...pace },
      nemeses: [
        'the holder killed',
        'the holder killed', // twice as often: not each time do others stand in line
        'the holder stopped',
        'a client killed at hold.granted',
        'the leader killed',
      ],
    });
    const handovers = [reportResignations(stand, evidence), reportSuccessions(stand, evidence)];
    if (seconds >= 30)
      stand.expect(!handovers.includes(0), 'nobody resigned, or none was killed, while others stood in line');
  },
};

const campaignsIn = (evidence: Evidence): Operation[] =>
  operationsOf(evidence.entries).filter(({ call, outcome }) => call === 'campaign' && outcome === 'ok');

const ticketsIn = ({ changes }: Evidence): Life[] =>
  livesRightBelow(livesOf(changes), `${namespace}/election/e/`);

/** Of those who stood next in line when the one before resigned. @returns how many */
function reportResignations(stand: Stand, evidence: Evidence): number {
  const tickets = ticketsIn(evidence);
  const campaigns = campaignsIn(evidence);
  const delays = operationsOf(evidence.entries).flatMap(({ call, outcome, input, invokedAt }) => {
    if (call !== 'resign' || outcome !== 'ok') return [];
    const token = input['token'] as number;
    const gone = tickets.find(({ createRevision }) => createRevision === token);
    const next = tickets.find(
      ({ createRevision, deleteRevision }) =>
        createRevision > token &&
        createRevision < (gone?.deleteRevision ?? 0) &&
        deleteRevision > (gone?.deleteRevision ?? 0),
    );
    const campaign = campaigns.find(({ output }) => output['token'] === next?.createRevision);
    return campaign ? [campaign.returnedAt - invokedAt] : [];
  });
  stand.spread('failover after a resignation', delays);
  return delays.length;
}

/**
 * Of leaders that were killed while others stood in line: how long it took, and how much of that after their lease.
 *
 * @returns how many
 */
function reportSuccessions(stand: Stand, evidence: Evidence): number {
  const tickets = ticketsIn(evidence);
  const campaigns = campaignsIn(evidence);
  const [delays, reactions]: [number[], number[]] = [[], []];
  for (const { process, diedAt, ticket } of estatesIn(evidence, 'election/e/')) {
    const hasLed = campaigns.some(({ output }) => output['token'] === ticket.createRevision);
    const others = tickets.filter(
      (each) => each.createdAt < ticket.deletedAt && each.deletedAt > ticket.deletedAt + settledMs,
    );
    if (!hasLed || others.length === 0) continue;
    const next = campaigns.find(({ returnedAt }) => returnedAt > diedAt);
    stand.expect(next !== undefined, `${process} was killed while it led, and nobody has led since`);
    if (!next) continue;
    delays.push(next.returnedAt - diedAt);
    reactions.push(Math.max(0, next.returnedAt - ticket.deletedAt));
  }
  stand.spread('failover after the leader was killed', delays);
  stand.spread('of that after its lease had ended', reactions);
  return delays.length;
}
