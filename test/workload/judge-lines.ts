import { isSetting } from '../../src/base/keys.js';
import { judgeLosses } from '../history/invariants/losses.js';
import { judgeErrors, judgeReasons } from '../history/invariants/reasons.js';
import { judgeRemains } from '../history/invariants/remains.js';
import { judgeWitness } from '../history/invariants/tokens.js';
import { type Bounds, judgeWakeUps } from '../history/invariants/waiting.js';
import { judgeLock } from '../history/judge-lock.js';
import type { LineEvidence } from '../history/line.js';
import { type Life, livesOf } from '../history/lives.js';
import type { LockKind } from '../history/lock-kinds.js';
import { type Entry, notesOf, type Operation, operationsOf, type Violation } from '../history/record.js';
import { Witness } from '../history/witness.js';
import { healedAt } from './struck.js';
import type { Evidence } from './workload.js';

/** One lock or election of a workload. */
export interface JudgedLine {
  readonly kind: LockKind;
  /** The prefix of its tickets, below the namespace: `lock/m/`. */
  readonly folder: string;
  /** Those about it: `acquire`, `release`, `write`. */
  readonly operations: readonly Operation[];
  /** Who holds it has to hold others, too, before it is told. @default false */
  readonly isPart?: boolean;
}

/** What a judge reads of a run, read once. */
export interface Case extends Evidence {
  readonly operations: readonly Operation[];
  readonly lives: readonly Life[];
  readonly witness: Witness;
}

export function caseOf(evidence: Evidence): Case {
  const operations = operationsOf(evidence.entries);
  const witness = new Witness(operations);
  return { ...evidence, operations, lives: livesOf(evidence.changes), witness };
}

/** What must be true of every lock and election, whatever its kind: I1 to I4, I8, I10, and that a simple model explains it. */
export function judgeLines(read: Case, lines: readonly JudgedLine[]): Violation[] {
  const { entries, lives, operations, namespace, ttlMs } = read;
  return [
    ...lines.flatMap((line) => judgeLine(read, line)),
    ...judgeWitness(operations),
    ...judgeInterference(entries),
    ...judgeRemains({
      namespace,
      lives,
      mayStay: (key) => isSetting(key) || key.startsWith(`${namespace}/delay/`),
    }),
    ...judgeLosses(entries, lives, lossBounds(read)),
    ...judgeErrors(operations),
    ...judgeReasons(operations, lives, { sessions: `${namespace}/session/`, ttlMs }),
  ];
}

/** When all is well a client is told of a loss by a renewal, at the latest. Whoever says nothing more may have ended. */
function lossBounds({ entries, ttlMs, lagMs = 0 }: Case): Bounds {
  const lastOf = new Map<string, number>();
  for (const entry of entries) if (entry.kind !== 'return') lastOf.set(entry.client, entry.at);
  return {
    healedAt: healedAt(entries),
    boundMs: ttlMs + lagMs,
    endedAt: (client) => lastOf.get(client) ?? 0,
  };
}

function judgeLine(read: Case, { kind, folder, operations, isPart = false }: JudgedLine): Violation[] {
  if (operations.length === 0) return [];
  const { entries, namespace, ttlMs, lagMs = 0 } = read;
  const evidence: LineEvidence = { ...read, kind, line: `${namespace}/${folder}`, operations };
  return [
    ...judgeLock(evidence),
    ...(isPart
      ? []
      : judgeWakeUps(evidence, { healedAt: healedAt(entries), boundMs: 2 * ttlMs + 5 * lagMs })),
  ];
}

/** Somebody else wrote what was guarded by a hold that excludes him. */
function judgeInterference(entries: readonly Entry[]): Violation[] {
  return notesOf(entries)
    .filter(({ what }) => what === 'interference')
    .map(({ client, facts, at }) => {
      return { rule: 'I3', what: `${client}, ${JSON.stringify(facts)}: not as it was, at ${at}` };
    });
}
