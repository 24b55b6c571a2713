import { numberOf, parseFacts, textOf } from '../facts.js';
import { isStanding, type Life, livesRightBelow } from '../lives.js';
import type { Json, Operation, Violation } from '../record.js';

/**
 * I6, as the clients see it: nobody passes before as many as the round needs have begun to enter, and of one round no more
 * pass than that. Whoever entered with an unknown outcome may have been one of any round.
 *
 * @param operations `enter`, of one barrier; the output's `generation` tells one round from another
 */
export function judgePasses(operations: readonly Operation[]): Violation[] {
  const enters = operations.filter(({ call, outcome }) => call === 'enter' && outcome !== 'no');
  const maybe = enters.filter(({ outcome }) => outcome === 'unknown').map(({ invokedAt }) => invokedAt);
  const rounds = new Map<string, Operation[]>();
  for (const enter of enters) {
    if (enter.outcome !== 'ok') continue;
    const generation = textOf(enter.output, 'generation');
    const round = rounds.get(generation);
    if (round) round.push(enter);
    else rounds.set(generation, [enter]);
  }
  return [...rounds].flatMap(([generation, passed]) => {
    const first = passed.reduce((a, b) => (a.returnedAt <= b.returnedAt ? a : b));
    const size = numberOf(first.input, 'size');
    const begun = [...passed.map(({ invokedAt }) => invokedAt), ...maybe];
    const there = begun.filter((at) => at <= first.returnedAt).length;
    const name = generation === '' ? 'the round' : `round ${generation}`;
    const complaints: string[] = [];
    if (there < size)
      complaints.push(`${first.client} passed ${name} at ${first.returnedAt}; ${there} of ${size} had come`);
    if (passed.length > size) complaints.push(`${passed.length} passed ${name} of ${size}`);
    return complaints.map((what) => ({ rule: 'I6', what }));
  });
}

/**
 * I6, as the store has it: when a round trips, all parties it names stand there, as many as they said, each in no other round.
 *
 * @param barrier the prefix: `conclave/cyclic-barrier/<name>/`
 */
export function judgeTrips(lives: readonly Life[], barrier: string): Violation[] {
  const tickets = livesRightBelow(lives, `${barrier}in/`);
  const ticketOf = new Map(tickets.map((ticket) => [ticket.key, ticket]));
  const roundOf = new Map<string, string>();
  const violations: Violation[] = [];
  for (const { key, createRevision, forms } of livesRightBelow(lives, `${barrier}out/`)) {
    const outcome = parseFacts(forms[0]?.value ?? '');
    if (outcome['kind'] !== 'tripped') continue;
    const complain = (what: string): void => void violations.push({ rule: 'I6', what: `${key} ${what}` });
    const parties = partiesIn(outcome['parties']).map((ticket) => `${barrier}in/${ticket}`);
    if (forms.length > 1) complain('was written more than once');
    for (const party of parties) {
      const ticket = ticketOf.get(party);
      const size = numberOf(parseFacts(ticket?.forms[0]?.value ?? ''), 'parties');
      if (!ticket || !isStanding(ticket, createRevision - 1)) complain(`names ${party}, which was not there`);
      else if (size !== parties.length)
        complain(`names ${parties.length} parties, and ${party} waited for ${size}`);
      if (roundOf.has(party)) complain(`names ${party}, as ${roundOf.get(party) ?? ''} does`);
      roundOf.set(party, key);
    }
  }
  return violations;
}

function partiesIn(parties: Json | undefined): string[] {
  if (!Array.isArray(parties)) return [];
  return (parties as Json[]).map((party) => {
    return typeof party === 'object' && party !== null && !Array.isArray(party)
      ? textOf(party as Operation['output'], 'ticket')
      : '';
  });
}
