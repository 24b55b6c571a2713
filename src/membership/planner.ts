import { toText } from '../base/bytes.js';
import { ConflictError, isConclaveError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import type { Connection } from '../session/connection.js';
import { type Demand, demand } from '../session/demand.js';
import type { Hold } from '../session/hold.js';
import type { LineState } from '../session/line.js';
import { readLine } from '../session/line-history.js';
import { noOlderTicket, type Rule } from '../session/rules.js';
import { readContent } from '../session/ticket-value.js';
import { compare, get, put } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { retry } from '../store/retry.js';
import { assign } from './assignment.js';
import { encodePlan, readPlan } from './plan.js';
import type { ShardsLayout } from './shards-layout.js';

/** How long to wait after a plan for more who come or go: a deploy changes much at a time. */
const paceMs = 100;

/** The programs do not agree on the number of shards. */
export class Disagreement extends ConflictError {}

/** To have shards, and to plan if it is the oldest who would. @param id of the member */
export function candidacy({ shards, title }: ShardsLayout, id: string): Demand {
  const rule: Rule = (older, mine, settings) => {
    // Who leads is right. Others may just be learning that they are refused.
    const other = older[0] && contentOf(older[0])?.parties;
    if (other !== undefined && other !== shards) {
      throw new Disagreement(
        `${title}: they are ${other} for those who are there, this program names ${shards}: all have to agree`,
      );
    }
    return noOlderTicket(older, mine, settings);
  };
  return demand(rule, { value: id, parties: shards });
}

/** Plans who is to have which shard, for as long as it leads. */
export async function plan(
  connection: Connection,
  layout: ShardsLayout,
  { signal, guard }: Reign,
): Promise<void> {
  const { candidates, shards } = layout;
  let state = await readLine(connection, candidates, 0n, signal);
  while (true) {
    const members = membersIn(state, shards);
    await writePlan(connection, layout, members, { signal, guard });
    await sleep(connection.runtime, paceMs, { signal });
    const isOther = (now: LineState): boolean => {
      if (JSON.stringify(membersIn(now, shards)) === JSON.stringify(members)) return false;
      state = now;
      return true;
    };
    await connection.views.view(candidates).until(state, isOther, signal);
  }
}

type Reign = Pick<Hold, 'signal' | 'guard'>;

/**
 * A late copy of a plan compares the plan it was made from, and the planner's ticket. Nothing rests on plans: whoever holds
 * a shard's mutex owns it.
 */
async function writePlan(
  { store, runtime }: Connection,
  { plan: { prefix: key }, shards }: ShardsLayout,
  members: readonly string[],
  { signal, guard }: Reign,
): Promise<void> {
  const attempt = async (): Promise<void> => {
    const { kvs } = await store.do(get(key), { signal });
    const before = readPlan(kvs[0], shards);
    const text = encodePlan(assign(shards, before, members));
    if (before.length > 0 && text === encodePlan(before)) return;
    const { succeeded } = await store.txn(
      {
        if: [...guard(), compare.modRevision(key, '=', kvs[0]?.modRevision ?? 0n)],
        then: [put(key, text)],
      },
      { signal },
    );
    if (!succeeded) throw refused;
    runtime.probe('shards.planned');
  };
  await retry(runtime, attempt, {
    signal,
    maxDelayMs: 500,
    again: (error) => !signal.aborted && (error === refused || isPassing(error)),
  });
}

/** Somebody else has planned since, or this one leads no more: then its signal tells soon. */
const refused = new Error('the plan has changed');

function isPassing(error: unknown): boolean {
  return (
    isConclaveError(error, 'UNAVAILABLE') ||
    isConclaveError(error, 'OUTCOME_UNKNOWN') ||
    isConclaveError(error, 'RESOURCE_EXHAUSTED')
  );
}

/** Each once, whoever has come first first: one that registers again stands twice for a while. Who disagrees is just being refused. */
function membersIn({ tickets }: LineState, shards: number): readonly string[] {
  const wishes = tickets.map(contentOf).filter((wish) => wish?.parties === shards);
  return [...new Set(wishes.map((wish) => wish?.value))].filter((id) => id !== undefined);
}

/** undefined for one of another program, or of a newer version: it gets no shards from this planner. */
function contentOf(ticket: KeyValue): ReturnType<typeof readContent> {
  try {
    return readContent(ticket);
  } catch {
    return undefined;
  }
}

/** The shards that a member is to have. @throws ConflictError if a newer version of this library wrote the plan */
export function sharesOf(
  id: string,
  { plan: line, shards }: ShardsLayout,
  { settings }: LineState,
): Set<number> {
  const kv = settings.find(({ key }) => toText(key) === line.prefix);
  const mine = readPlan(kv, shards).flatMap((owner, shard) => (owner === id ? [shard] : []));
  return new Set(mine);
}
