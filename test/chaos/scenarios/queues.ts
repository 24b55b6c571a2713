import { setTimeout as delay } from 'node:timers/promises';
import { connect, type Conclave, type Delivery } from '../../../src/index.js';
import { Random } from '../../../src/testing/random.js';
import { livesOf, livesRightBelow } from '../../history/lives.js';
import { range } from '../nemesis/targets.js';
import { client, from, member } from '../rig/node.js';
import { Rig } from '../rig/rig.js';
import { Recorder } from '../recorder.js';
import { namespace } from '../stage.js';
import type { Scenario } from './scenario.js';
import { deaths, deathsOfMembers, playUnderFaults } from './under-faults.js';
import { until } from './until.js';

const producers = 2;
const workers = 3;
const queueName = 'q';

export const lossyQueue: Scenario = {
  number: 23,
  title: 'A queue whose clients lose answers with their connections: each job is put once and done once',
  tier: 'P',
  needs: [],
  /** Jobs. */
  repetitions: { full: 2_000, tenth: 200 },
  async run(stand, repetitions) {
    await using rig = await Rig.start({ tier: 'loopback', clients: producers + workers });
    await using recorder = new Recorder(rig.endpoints);
    const open = (place: number): Promise<Conclave> =>
      connect({ endpoints: rig.endpointsFor(place), namespace, sessionTtlMs: 10_000, dialTimeoutMs: 20_000 });
    const clients = await Promise.all(range(producers + workers).map(open));
    const stop = new AbortController();
    const handled: string[] = [];
    const handle = async ({ id }: Delivery): Promise<void> => void handled.push(id);
    const working = clients
      .slice(producers)
      .map((each) =>
        each.queue(queueName).work(handle, { concurrency: 4, signal: stop.signal, onError: () => {} }),
      );
    const losing = loseAnswers(rig, new Random(stand.seed), stop.signal);
    const unknown = (
      await Promise.all(
        clients.slice(0, producers).map((each, i) => produce(each, i, repetitions / producers)),
      )
    ).flat();
    const queue = clients[0]?.queue(queueName);
    await until('all jobs are done', async () => {
      const state = await queue?.inspect();
      return state && state.ready + state.running.length === 0;
    });
    stop.abort();
    const lost = await losing;
    await Promise.all(working);
    await recorder.catchUp();
    const jobs = livesRightBelow(livesOf(recorder.changes), `${namespace}/queue/${queueName}/job/`);
    const ids = new Set(jobs.map(({ key }) => key));
    stand.figure('answers lost', lost);
    stand.figure('enqueues asked for again', unknown.length);
    stand.figure('jobs', `${ids.size} put, ${handled.length} deliveries`);
    stand.expect(
      jobs.length === repetitions && ids.size === repetitions,
      `${jobs.length} jobs, ${ids.size} ids, of ${repetitions}`,
    );
    stand.expect(
      jobs.every(({ deleteRevision }) => deleteRevision < Infinity),
      'a job was not done',
    );
    const done = new Set(handled);
    stand.expect(done.size === repetitions, `${done.size} jobs of ${repetitions} were handled`);
    await Promise.all(clients.map((each) => each.close()));
  },
};

/** Each by an id: it is asked for again until the answer is known. @returns those that were */
async function produce(conclave: Conclave, producer: number, count: number): Promise<string[]> {
  const again: string[] = [];
  for (let i = 0; i < count; i++) {
    const id = `${producer}-${i}`;
    for (;;) {
      const created = await conclave
        .queue(queueName)
        .enqueue(id, { id })
        .catch(() => undefined);
      if (created) break;
      again.push(id);
    }
  }
  return again;
}

/** Now and then those to one client, for a moment. @returns how often */
async function loseAnswers(rig: Rig, random: Random, signal: AbortSignal): Promise<number> {
  let times = 0;
  while (!signal.aborted) {
    const place = Math.floor(random.between(0, rig.clients));
    const undo = await rig.links.loseResponses(from(range(rig.members).map(member), [client(place)]), 5);
    await delay(random.between(5, 30));
    await undo();
    times++;
    await delay(random.between(10, 150));
  }
  return times;
}

export const queueUnderFaults: Scenario = {
  number: 22,
  title: 'A queue whose clients and members are killed: nothing acknowledged is lost, nothing is done twice',
  tier: 'L',
  needs: [],
  /** Seconds. */
  repetitions: { full: 240, tenth: 20 },
  async run(stand, seconds) {
    for (const workload of ['queue', 'priority-queue', 'retry-queue'])
      await playUnderFaults(stand, {
        ...{ workload, clients: 5, desks: 2, ttlMs: 3_000, seconds: seconds / 3 },
        ...{ nemeses: [...deaths, ...deathsOfMembers], lengthMs: [100, 1_500], pauseMs: [0, 500] },
      });
  },
};
