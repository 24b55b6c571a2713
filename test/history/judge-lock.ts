import { linePrefix } from '../../src/base/keys.js';
import { grouped } from '../workload/grouped.js';
import { textOf } from './facts.js';
import { judgeHolding } from './invariants/holding.js';
import { judgeRegister } from './invariants/register.js';
import { judgeTokens } from './invariants/tokens.js';
import { judgeTurns } from './invariants/turns.js';
import type { LineEvidence } from './line.js';
import { lockCalls } from './lock-calls.js';
import type { LockKind } from './lock-kinds.js';
import { lockModel } from './models/lock.js';
import type { Violation } from './record.js';
import { judgeByModel } from './wgl.js';

/** Everything about one lock that holds at any time, whatever faults there were: I1 to I4, and linearizability. */
export function judgeLock(evidence: LineEvidence): Violation[] {
  const { kind, operations, changes } = evidence;
  return [
    ...judgeHolding(evidence),
    ...judgeTokens(operations),
    ...judgeTurns(evidence),
    ...judgeRegisters(evidence),
    ...judgeByModel(lockModel(kind), lockCalls(kind, operations, changes)),
  ];
}

/** What is written under it. */
function judgeRegisters(evidence: LineEvidence): Violation[] {
  const writes = evidence.operations.filter(({ call }) => call === 'write');
  return [...grouped(writes, ({ input }) => textOf(input, 'register'))].flatMap(([register, operations]) =>
    judgeRegister({ ...evidence, operations }, register),
  );
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
