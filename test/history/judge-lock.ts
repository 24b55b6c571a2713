import { linePrefix } from '../../src/base/keys.js';
import { judgeHolding } from './invariants/holding.js';
import { judgeRegister } from './invariants/register.js';
import { judgeTokens } from './invariants/tokens.js';
import { judgeTurns } from './invariants/turns.js';
import type { LineEvidence } from './line.js';
import { livesOf } from './lives.js';
import { lockCalls } from './lock-calls.js';
import type { LockKind } from './lock-kinds.js';
import { lockModel } from './models/lock.js';
import { type Change, type Entry, operationsOf, type Violation } from './record.js';
import { judgeByModel } from './wgl.js';

export interface LockRun {
  readonly entries: readonly Entry[];
  readonly changes: readonly Change[];
  readonly namespace: string;
}

export interface LockJudgeOptions {
  readonly kind: LockKind;
  /** Of the lock; in the entries it is what calls are `on`. */
  readonly name: string;
  /** The key of the application's where `write` puts. */
  readonly register?: string;
  /** How much later than it happened a change may have been seen. @default 0 */
  readonly lagMs?: number;
  /** Of the search. @default that of `linearize` */
  readonly maxSteps?: number;
}

/** Everything about one lock that holds at any time, whatever faults there were: I1 to I4, and linearizability. */
export function judgeLock(
  { entries, changes, namespace }: LockRun,
  { kind, name, register, lagMs = 0, ...search }: LockJudgeOptions,
): Violation[] {
  const operations = operationsOf(entries).filter(({ on }) => on === name);
  const line = lineOf(kind, namespace, name);
  const evidence: LineEvidence = { kind, line, operations, changes, lives: livesOf(changes), lagMs };
  return [
    ...judgeHolding(evidence),
    ...judgeTokens(operations),
    ...(register === undefined ? [] : judgeRegister(evidence, register)),
    ...judgeTurns(evidence),
    ...judgeByModel(lockModel(kind), lockCalls(kind, operations, changes), search),
  ];
}

const folders = {
  mutex: 'lock',
  'read/write lock': 'rw',
  semaphore: 'semaphore',
  election: 'election',
} as const;

/** The prefix of its tickets. */
export function lineOf({ name: kind }: LockKind, namespace: string, name: string): string {
  const line = linePrefix(namespace, folders[kind], name);
  return kind === 'semaphore' ? `${line}t/` : line;
}
