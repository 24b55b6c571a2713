import type { Hold } from '../../src/index.js';
import { ticketNameIn } from '../../src/base/keys.js';
import type { Kind } from './kinds.js';
import type { LineJudge, Report } from './line-judge.js';
import { describeTicket, type Ticket, type Want } from './want.js';

/** A process that may hold something. */
export interface Claimant {
  readonly name: string;
  readonly state: 'living' | 'leaving' | 'crashed';
}

/** A hold that the library has given out. */
export interface Claim<Who extends Claimant = Claimant> {
  readonly actor: Who;
  readonly hold: Pick<Hold, 'key' | 'fencingToken' | 'isHeld'>;
  readonly want: Want;
  /** Of all its tickets. */
  readonly keys: readonly string[];
  /** Its ticket is being exchanged for another one, which it becomes. */
  isChanging: boolean;
}

export interface ClaimsParts {
  readonly kind: Kind;
  readonly judge: LineJudge;
  readonly now: () => number;
  readonly report: Report;
  /** Two were held at once, as after an early revoke nobody can prevent. */
  readonly onExcused?: () => void;
}

/** What clients believe to hold, against what the store's history gives them, and against each other. */
export class Claims {
  readonly #parts: ClaimsParts;
  readonly #claims = new Set<Claim>();
  readonly #revoked = new Set<string>();
  /** The latest token of an exclusive hold, by line. */
  readonly #exclusive = new Map<string, bigint>();
  /** The latest token of any. */
  readonly #latest = new Map<string, bigint>();

  constructor(parts: ClaimsParts) {
    this.#parts = parts;
  }

  /** Those that their clients may rely on, if they ask. */
  get held(): readonly Claim[] {
    return [...this.#claims].filter(({ actor, hold }) => actor.state !== 'crashed' && hold.isHeld());
  }

  /** @param atOnce it was free when the ticket was put; or a semaphore was made larger before the lost answer was settled */
  granted(claim: Claim, { atOnce = false }: { readonly atOnce?: boolean } = {}): void {
    const { kind, judge, report } = this.#parts;
    const { fencingToken: token } = claim.hold;
    judge.catchUp();
    for (const key of claim.keys) {
      const fate = judge.fateOf(key, token);
      const ticket = describeTicket({ key, create: token });
      if (!fate) report(`${this.#at}: ${ticket} was granted and has never stood in line`);
      else if (fate.admittedAt === undefined) report(`${this.#at}: ${ticket} was granted against the rule`);
      else if (atOnce && fate.admittedAt !== token && kind.name !== 'semaphore')
        report(`${this.#at}: ${ticket} was granted at once, and was let pass only at ${fate.admittedAt}`);
      if (fate && !isWhatWasWanted(fate.ticket, claim.want))
        report(`${this.#at}: ${ticket} is a ${fate.ticket.mode} of ${fate.ticket.permits}, not as wanted`);
    }
    if (claim.keys.length !== claim.want.names.length)
      report(`${this.#at}: ${claim.hold.key} has ${claim.keys.length} tickets`);
    this.#claims.add(claim);
    if (claim.hold.isHeld() && !this.#isExcused(claim)) this.#checkOrder(claim);
    this.look();
  }

  /** It is given back, or lost for its owner. */
  forget(claim: Claim): void {
    this.#claims.delete(claim);
  }

  /** The store ends these leases before their time: what hangs on them is believed in for too long. */
  revoked(leases: Iterable<bigint>): void {
    for (const lease of leases) this.#revoked.add(lease.toString(16));
  }

  /** Those of stopped processes count: they could run on at any moment. */
  look(): void {
    const { judge, report } = this.#parts;
    judge.catchUp();
    const held = this.held;
    const strict = held.filter((claim) => !this.#isExcused(claim));
    for (const { keys, hold, isChanging } of strict) {
      if (isChanging) continue;
      for (const key of keys) {
        if (judge.fateOf(key, hold.fencingToken)?.goneAt !== undefined)
          report(`${this.#at}: ${key} is believed to be held, and is gone`);
      }
    }
    if (this.#conflicts(strict)) return;
    if (this.#conflicts(held, () => {})) this.#parts.onExcused?.();
  }

  /** Two of them that exclude each other, in any line. */
  #conflicts(claims: readonly Claim[], report: Report = this.#parts.report): boolean {
    const lines = new Set(claims.flatMap(({ want }) => want.names));
    return [...lines].map((line) => this.#conflictsIn(line, claims, report)).includes(true);
  }

  #conflictsIn(line: string, claims: readonly Claim[], report: Report): boolean {
    const { kind, judge } = this.#parts;
    const here = claims.filter(({ want }) => want.names.includes(line));
    const fates = here.flatMap(({ want, keys, hold }) => {
      const fate = judge.fateOf(keys[want.names.indexOf(line)] ?? '', hold.fencingToken);
      return fate ? [{ fate, mode: want.mode ?? fate.ticket.mode }] : [];
    });
    const [latest] = fates.sort((a, b) => Number((b.fate.admittedAt ?? 0n) - (a.fate.admittedAt ?? 0n)));
    const tickets = fates.map(({ fate: { ticket }, mode }): Ticket => ({ ...ticket, mode }));
    if (kind.rule.mayHoldTogether(tickets, latest?.fate.limit)) return false;
    const who = here.map(({ actor, hold }) => `${actor.name} (${hold.key}, token ${hold.fencingToken})`);
    report(`${this.#at}: hold ${line} at the same time: ${who.join(' and ')}`);
    return true;
  }

  /** Tokens of exclusive holds grow with every grant; others follow them. */
  #checkOrder({ hold: { key, fencingToken: token }, want }: Claim): void {
    const isExclusive = this.#parts.kind.isExclusive(want);
    for (const name of want.names) {
      const before = (isExclusive ? this.#latest : this.#exclusive).get(name) ?? 0n;
      if (isExclusive ? token <= before : token < before)
        this.#parts.report(`${this.#at}: ${key} was granted with token ${token} after ${before}`);
      if (isExclusive) this.#exclusive.set(name, token);
      if (token > (this.#latest.get(name) ?? 0n)) this.#latest.set(name, token);
    }
  }

  #isExcused({ keys: [key = ''] }: Claim): boolean {
    return this.#revoked.has(ticketNameIn(key).split('-')[0] ?? '');
  }

  get #at(): string {
    return `at ${Math.round(this.#parts.now())} ms`;
  }
}

function isWhatWasWanted(ticket: Ticket, { mode = ticket.mode, permits = ticket.permits }: Want): boolean {
  return ticket.mode === mode && ticket.permits === permits;
}
