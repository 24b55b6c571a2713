import { textOf } from '../../history/facts.js';
import { livesOf, livesRightBelow } from '../../history/lives.js';
import { type Operation, operationsOf } from '../../history/record.js';
import { storedJobs } from '../../workload/stored-jobs.js';
import type { Evidence } from '../../workload/workload.js';
import { percentile, type Stand } from './scenario.js';

/** Nobody waits for longer than this for what is there, when nothing is wrong. */
const wakeUpMs = 2_000;
/** One of a hundred may be so late, on a busy machine. Whoever misses a wake-up is far later. */
const lateMs = 5_000;

/** I9, of a run in which nothing was wrong with clients, members and the network. */
export function judgeWakeUps(stand: Stand, workload: string, evidence: Evidence): void {
  const operations = operationsOf(evidence.entries);
  const times = [
    ...turnsIn(evidence, operations),
    ...roundsIn(evidence, operations),
    ...jobsIn(evidence, operations),
  ];
  stand.spread(`${workload}: waited for what was there`, times);
  stand.expect(times.length > 0, `${workload}: nobody has waited`);
  if (times.length === 0) return;
  stand.expect(percentile(times, 0.99) < wakeUpMs, `${workload}: wake-ups are late`);
  stand.expect(percentile(times, 1) < lateMs, `${workload}: a wake-up was missed`);
}

/** From the end of whoever stood before it in line, or its own coming, until a holder or leader was told. */
function turnsIn({ changes }: Evidence, operations: readonly Operation[]): number[] {
  const lives = livesOf(changes);
  const grants = operations.filter(
    ({ call, outcome }) => outcome === 'ok' && (call === 'acquire' || call === 'campaign'),
  );
  const granted = new Set(grants.map(({ output }) => textOf(output, 'key')));
  return grants.flatMap(({ output, returnedAt }) => {
    const key = textOf(output, 'key');
    const ticket = lives.find((each) => each.key === key);
    if (!ticket) return [];
    const line = livesRightBelow(lives, key.slice(0, key.lastIndexOf('/') + 1));
    // Of an election the leader may be younger, by its priority.
    const before = line.filter(
      (each) =>
        each !== ticket &&
        each.deletedAt < returnedAt &&
        (granted.has(each.key) || each.createRevision < ticket.createRevision),
    );
    return [returnedAt - Math.max(ticket.createdAt, ...before.map(({ deletedAt }) => deletedAt))];
  });
}

/** From the moment at which a round was full until one of its parties was told. */
function roundsIn({ changes, namespace }: Evidence, operations: readonly Operation[]): number[] {
  const tickets = livesRightBelow(livesOf(changes), `${namespace}/double-barrier/d/in/`);
  // A round has the number of the youngest ticket in it.
  const filledAt = new Map(tickets.map(({ createRevision, createdAt }) => [createRevision, createdAt]));
  return operations.flatMap(({ call, outcome, output, returnedAt }) => {
    const at = filledAt.get(output['generation'] as number);
    return call === 'enter' && outcome === 'ok' && at !== undefined ? [returnedAt - at] : [];
  });
}

/** How long a job and somebody who wanted one waited together. */
function jobsIn({ changes, namespace }: Evidence, operations: readonly Operation[]): number[] {
  const receives = operations.filter(({ call, outcome }) => call === 'receive' && outcome === 'ok');
  const ready = storedJobs(changes, namespace, 'q').flatMap(({ places }) =>
    places.filter(({ kind }) => kind === 'ready').map(({ life }) => life),
  );
  return receives.flatMap(({ invokedAt, returnedAt }) => {
    const together = ready.map(
      (life) => Math.min(returnedAt, life.deletedAt) - Math.max(invokedAt, life.createdAt),
    );
    const longest = Math.max(-Infinity, ...together.filter((ms) => Number.isFinite(ms)));
    return longest > 0 ? [longest] : [];
  });
}
