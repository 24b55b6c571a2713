import { numberOf, parseFacts, textOf } from '../facts.js';
import { admissions, type LineEvidence, ticketsOf, weightIn } from '../line.js';
import { formAt, type Life } from '../lives.js';
import type { Change, Facts, Operation, Violation } from '../record.js';

/**
 * I3: what was written under the guard of a hold, at one key of the application's as JSON `{ token, client, n }`.
 *
 * - Each write was made while the ticket of its token stood and might hold; and the tokens of those who
 *   hold alone never come after a larger one, nor others after a larger one of those.
 * - Each acknowledged write is there, at the revision that was told, and no others are but those of unknown outcome: their
 *   number lies between the acknowledged ones, and those with the unknown ones.
 * - `n` counts them: of those who hold alone each writes one more than the one before, or a write was lost.
 *
 * @param register the key
 */
export function judgeRegister(evidence: LineEvidence, register: string): Violation[] {
  const { kind, operations, changes } = evidence;
  const violations: Violation[] = [];
  const complain = (what: string): void => void violations.push({ rule: 'I3', what });
  const tickets = ticketsOf(evidence);
  const ticketOf = new Map(tickets.map((ticket) => [ticket.createRevision, ticket]));
  const admitted = admissions(kind, tickets);
  const puts = changes.filter(({ key, type }) => key === register && type === 'put');
  /** Of those who hold alone, and of all. */
  let [latestAlone, latest] = [0, 0];
  let last = { n: 0, isAlone: true };
  for (const { revision, value } of puts) {
    const facts = parseFacts(value);
    const [token, n] = [numberOf(facts, 'token'), numberOf(facts, 'n')];
    const ticket = ticketOf.get(token);
    if (!mayWrite(ticket, admitted, revision))
      complain(`the write at revision ${revision} has token ${token}, which did not hold then`);
    const form = ticket && formAt(ticket, revision - 1);
    const isAlone = form !== undefined && weightIn(kind, form.value) === kind.capacity;
    const before = isAlone ? latest : latestAlone;
    if (token < before)
      complain(`the write at revision ${revision} has token ${token}, after one with ${before}`);
    if (isAlone && last.isAlone && n !== last.n + 1)
      complain(`the write at revision ${revision} says ${n}, after ${last.n}`);
    last = { n, isAlone };
    latest = Math.max(latest, token);
    if (isAlone) latestAlone = Math.max(latestAlone, token);
  }
  const writes = operations.filter(({ call }) => call === 'write');
  complainOfAnswers(writes, puts, complain);
  return violations;
}

/** A guarded write is one transaction: it compares what stood before it. */
function mayWrite(ticket: Life | undefined, admitted: ReadonlyMap<Life, number>, revision: number): boolean {
  if (!ticket) return false;
  return (admitted.get(ticket) ?? Infinity) < revision && revision <= ticket.deleteRevision;
}

function complainOfAnswers(
  writes: readonly Operation[],
  puts: readonly Change[],
  complain: (what: string) => void,
): void {
  const putAt = new Map(puts.map((put) => [put.revision, put]));
  const acknowledged = writes.filter(({ outcome }) => outcome === 'ok');
  for (const { client, input, output } of acknowledged) {
    const revision = numberOf(output, 'revision');
    const facts = parseFacts(putAt.get(revision)?.value ?? '');
    const token = numberOf(input, 'token');
    if (numberOf(facts, 'token') !== token || textOf(facts, 'client') !== client)
      complain(`${client} was told that it wrote under token ${token} at revision ${revision}, and did not`);
  }
  complainOfCounts(writes, puts, complain);
}

/** Under each token by itself, or what was denied to one could pass for what is unknown of another. */
function complainOfCounts(
  writes: readonly Operation[],
  puts: readonly Change[],
  complain: (what: string) => void,
): void {
  const put = count(puts.map(({ value }) => writerOf(parseFacts(value))));
  const told = (wanted: Operation['outcome']): Map<string, number> =>
    count(
      writes
        .filter(({ outcome }) => outcome === wanted)
        .map(({ client, input }) => writerOf({ ...input, client })),
    );
  const [ok, maybe] = [told('ok'), told('unknown')];
  for (const writer of new Set([...put.keys(), ...ok.keys()])) {
    const times = put.get(writer) ?? 0;
    const acknowledged = ok.get(writer) ?? 0;
    const unknown = maybe.get(writer) ?? 0;
    if (times < acknowledged || times > acknowledged + unknown)
      complain(`${writer}: ${times} writes, ${acknowledged} acknowledged and ${unknown} unknown`);
  }
}

function writerOf(facts: Facts): string {
  return `${textOf(facts, 'client')} under token ${numberOf(facts, 'token')}`;
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
