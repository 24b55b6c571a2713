import { electionCalls } from './election-calls.js';
import { judgeHolding } from './invariants/holding.js';
import { judgeObservers, reignsIn } from './invariants/reigns.js';
import { judgeTokens } from './invariants/tokens.js';
import { judgeTurns } from './invariants/turns.js';
import { lineOf, type LockRun } from './judge-lock.js';
import type { LineEvidence } from './line.js';
import { livesOf } from './lives.js';
import { election } from './lock-kinds.js';
import { electionModel } from './models/election.js';
import { notesOf, operationsOf, type Violation } from './record.js';
import { judgeByModel } from './wgl.js';

export interface ElectionJudgeOptions {
  /** Of the election; in the entries it is what calls are `on`. */
  readonly name: string;
  /** How much later than it happened a change may have been seen. @default 0 */
  readonly lagMs?: number;
  /** Of the search. @default that of `linearize` */
  readonly maxSteps?: number;
}

/** Everything about one election that holds at any time, whatever faults there were: I1, I2, I4, I7, and linearizability. */
export function judgeElection(
  { entries, changes, namespace }: LockRun,
  { name, lagMs = 0, ...search }: ElectionJudgeOptions,
): Violation[] {
  const operations = operationsOf(entries).filter(({ on }) => on === name);
  const notes = notesOf(entries).filter(({ on }) => on === name);
  const line = lineOf(election, namespace, name);
  const evidence: LineEvidence = {
    kind: election,
    line,
    operations,
    changes,
    lives: livesOf(changes),
    lagMs,
  };
  return [
    ...judgeHolding(evidence),
    ...judgeTokens(operations),
    ...judgeTurns(evidence),
    ...judgeObservers(notes, reignsIn(evidence.lives, line)),
    ...judgeByModel(electionModel, electionCalls(operations, changes), search),
  ];
}
