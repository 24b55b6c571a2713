import { numberOf, textOf } from './facts.js';
import { endsOf } from './lock-calls.js';
import type { ElectionCall } from './models/election.js';
import type { Change, Operation } from './record.js';
import type { Timed } from './wgl.js';

/**
 * What the model of an election has to explain: as `lockCalls` for locks. A candidate that was not told that it leads (it
 * gave up, or nobody knows) may have led for a while, and been seen. What was not seen of those of unknown outcome need not
 * have been: it is left out, for the search to end.
 *
 * @param operations of one election
 */
export function electionCalls(
  operations: readonly Operation[],
  changes: readonly Change[],
): Timed<ElectionCall>[] {
  const ends = endsOf(operations, { begin: 'campaign', end: 'resign' }, changes);
  const calls = ends.map(({ kind, key, client, from, to, goneAt }): Timed<ElectionCall> => {
    if (kind === 'expire') return { client, from, to, call: { kind, key } };
    // It resolves when the time of its session is over, too: it is seen to lead until its lease ends.
    return { client, from, to: Math.max(to, goneAt), call: { kind: 'resign', key } };
  });
  const seen = new Set(
    operations.filter(({ call }) => call === 'leader').map(({ output }) => textOf(output, 'value')),
  );
  for (const operation of operations) {
    const { client, input, invokedAt: from, outcome, returnedAt } = operation;
    const call = callOf(operation);
    if (!call || (outcome !== 'ok' && !seen.has(textOf(input, 'value')))) continue;
    calls.push({ client, from, to: outcome === 'ok' ? returnedAt : Infinity, call });
  }
  return calls;
}

/** A proclamation may have been written before it was known that no other can be. */
const written: ReadonlySet<string> = new Set(['HOLD_LOST', 'RESOURCE_EXHAUSTED']);

function callOf({ call, outcome, error = '', input, output }: Operation): ElectionCall | undefined {
  const isKnown = outcome === 'ok';
  if (call === 'campaign') {
    const value = textOf(input, 'value');
    if (!isKnown) return { kind: 'campaign', key: undefined, token: undefined, value };
    return { kind: 'campaign', key: textOf(output, 'key'), token: numberOf(output, 'token'), value };
  }
  if (call === 'proclaim' && (outcome !== 'no' || written.has(error)))
    return { kind: 'proclaim', key: textOf(input, 'key'), value: textOf(input, 'value') };
  if (call === 'leader' && isKnown) {
    const token = numberOf(output, 'token');
    return { kind: 'leader', token: Number.isNaN(token) ? undefined : token, value: textOf(output, 'value') };
  }
  return undefined;
}
