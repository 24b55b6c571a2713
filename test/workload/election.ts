import type { Candidate, Election, Leadership } from '../../src/index.js';
import { electionCalls } from '../history/election-calls.js';
import { numberOf, textOf } from '../history/facts.js';
import { judgeHandovers } from '../history/invariants/handovers.js';
import { judgeObservers, type Reign, reignsIn } from '../history/invariants/reigns.js';
import { revisionAt } from '../history/lives.js';
import { election as kind } from '../history/lock-kinds.js';
import { electionModel } from '../history/models/election.js';
import { notesOf, type Operation, type Violation } from '../history/record.js';
import { judgeByModel } from '../history/wgl.js';
import { revisionBy } from '../history/witness.js';
import { type Case, caseOf, judgeLines } from './judge-lines.js';
import { count, giveBack, patienceOf, told, whole } from './locking.js';
import { Onlooker } from './onlooker.js';
import { mayHaveLostHistory, mayHaveReadStale } from './struck.js';
import type { Desk, Workload } from './workload.js';

const name = 'e';
const onlookers = new WeakMap<Desk, Onlooker>();

/** Candidates lead in turn, proclaim values, and see that those who look on are told of them. */
export const election: Workload = {
  name: 'election',

  async turn(desk) {
    const { random, conclave } = desk;
    const place = conclave.election(name);
    if (!onlookers.has(desk)) onlookers.set(desk, new Onlooker(desk, name));
    if (random.next() < 0.2) return look(desk, place);
    const wait = patienceOf(desk);
    const priority = random.next() < 0.2 ? { priority: whole(desk, 0, 2) } : {};
    const value = `${desk.name}/${random.uint32()}`;
    const leadership = await desk.call(
      'campaign',
      name,
      { value, ...priority },
      () => place.campaign(value, { ...wait, ...priority }),
      told,
    );
    desk.claim(name, leadership);
    try {
      await lead(desk, place, leadership);
    } finally {
      await giveBack(desk, name, leadership, 'resign');
    }
  },

  sometimes: [
    'lost',
    'session.recovered',
    'ticket.waiting',
    'line.filled',
    'line.compacted',
    'take.found',
    'take.dead',
    'ticket.requeued',
    'campaign: WAIT_TIMEOUT',
    'campaign: SESSION_LOST',
    'write: OUTCOME_UNKNOWN',
    'write: HOLD_LOST',
    'resign: HOLD_LOST',
    'transfer: ok',
    'leader: ok',
    'leader',
  ],

  judge(evidence) {
    const read = caseOf(evidence);
    const reigns = reignsIn(read.lives, `${read.namespace}/election/${name}/`);
    const notes = notesOf(read.entries);
    return [
      ...judgeLines(read, [{ kind, folder: `election/${name}/`, operations: read.operations.map(asOfLock) }]),
      ...judgeObservers(notes, reigns, { isWhole: !mayHaveLostHistory(read.entries) }),
      ...judgeHandovers(read.operations, read.lives, `${read.namespace}/election/${name}/`),
      ...judgeByModel(electionModel, electionCalls(withoutGuesses(read), read.changes)),
      ...judgeLooks(read, reigns),
      ...notes
        .filter(({ what }) => what === 'told no more')
        .map(({ client, facts }) => ({ rule: 'I7', what: `${client}: ${JSON.stringify(facts)}` })),
    ];
  },
};

async function lead(desk: Desk, place: Election, leadership: Leadership): Promise<void> {
  const { random } = desk;
  const onlooker = onlookers.get(desk);
  await onlooker?.sees(leadership);
  await count(desk, name, leadership, `app/${name}`);
  for (let values = whole(desk, 0, 2); values > 0 && !desk.signal.aborted; values--) {
    const value = `${desk.name}/${random.uint32()}`;
    await desk.call('proclaim', name, { ...told(leadership), value }, () => leadership.proclaim(value));
    await desk.pause(random.between(0, 200));
    await onlooker?.sees(leadership);
  }
  if (random.next() < 0.2) await handOver(desk, place, leadership);
}

async function handOver(desk: Desk, place: Election, leadership: Leadership): Promise<void> {
  const candidates = await place.candidates();
  const others: readonly Candidate[] = candidates.filter(({ key }) => key !== leadership.key);
  const next = others[whole(desk, 0, others.length - 1)];
  if (!next) return;
  const input = { ...told(leadership), to: next.key };
  const wait = { signal: desk.signal, timeoutMs: 1_000 };
  await desk.call('transfer', name, input, () => leadership.transferTo(next.key, wait));
}

async function look(desk: Desk, place: Election): Promise<void> {
  await desk.call(
    'leader',
    name,
    {},
    () => place.leader(),
    (leader) => (leader ? { token: Number(leader.fencingToken), value: leader.value } : {}),
  );
}

/**
 * Without looks at a member that may lag behind, and at one who was first in line and had still to let a more urgent one pass.
 */
function withoutGuesses({ entries, operations }: Case): Operation[] {
  const isFresh = !mayHaveReadStale(entries);
  const granted = new Set(
    operations.filter(({ call }) => call === 'campaign').map(({ output }) => output['token']),
  );
  return operations.filter(
    ({ call, output: { token } }) =>
      call !== 'leader' || (isFresh && (token === undefined || granted.has(token))),
  );
}

/** An election is a lock that tells who holds it. */
function asOfLock(operation: Operation): Operation {
  if (operation.call === 'campaign') return { ...operation, call: 'acquire' };
  return operation.call === 'resign' ? { ...operation, call: 'release' } : operation;
}

/**
 * I7: who was said to lead did so at some time of the call. Where reads may be stale it may be of the past: a member may lag
 * behind without knowing it.
 */
function judgeLooks(read: Case, reigns: readonly Reign[]): Violation[] {
  const { operations, changes, entries } = read;
  const isFresh = !mayHaveReadStale(entries);
  return operations.flatMap(({ call, outcome, client, output, invokedAt, returnedAt }) => {
    if (call !== 'leader' || outcome !== 'ok') return [];
    const token = numberOf(output, 'token');
    const value = textOf(output, 'value');
    const now = revisionBy(read, returnedAt);
    const since = isFresh ? revisionAt(changes, invokedAt) : 0;
    const isSo = (reign: Reign): boolean =>
      Number.isNaN(token) ? reign.token === undefined : reign.token === token && reign.value === value;
    const isIn = ({ revision }: Reign, i: number): boolean =>
      revision <= now && (reigns[i + 1]?.revision ?? Infinity) > since;
    if (reigns.some((reign, i) => isIn(reign, i) && isSo(reign))) return [];
    const what = `${client} was told from revision ${since} to ${now} that ${JSON.stringify(output)} leads`;
    return [{ rule: 'I7', what }];
  });
}
