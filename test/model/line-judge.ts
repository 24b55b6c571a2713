import type { World } from '../../src/testing/index.js';
import { History, type Moment, type Write } from './history.js';
import type { Kind } from './kinds.js';
import { describeTicket, type Line, type Ticket } from './want.js';

/** What became of a ticket. */
export interface Fate {
  /** As it was last. */
  ticket: Ticket;
  /** The first revision at which the rule lets it pass. By the lemma it may pass from then on, for as long as it stands. */
  admittedAt: bigint | undefined;
  /** The semaphore's limit at that revision. */
  limit: number | undefined;
  goneAt: bigint | undefined;
}

export type Report = (violation: string) => void;

/**
 * The model: who may hold, by the store's history and the rule alone. It also judges that history: whatever processes and
 * networks do, nothing may ever stand there that the rule forbids.
 */
export class LineJudge {
  readonly history: History;
  readonly #kind: Kind;
  readonly #report: Report;
  readonly #fates = new Map<string, Fate>();
  #standing = new Set<Fate>();
  readonly #groupSizes = new Map<string, number>();
  readonly #writtenBy = new Map<string, bigint>();
  /** By the id of the write. */
  readonly #applied = new Set<number>();

  constructor(world: World, kind: Kind, report: Report) {
    this.history = new History(world, kind.folder);
    this.#kind = kind;
    this.#report = report;
  }

  /** Judges what has happened since. To be called before each compaction. */
  catchUp(): void {
    for (const moment of this.history.read()) this.#judge(moment);
  }

  fateOf(key: string, create: bigint): Fate | undefined {
    return this.#fates.get(idOf({ key, create }));
  }

  /** Tickets that stand, and may pass. */
  get holders(): readonly Ticket[] {
    return [...this.#standing]
      .filter(({ admittedAt }) => admittedAt !== undefined)
      .map(({ ticket }) => ticket);
  }

  get standing(): readonly Ticket[] {
    return [...this.#standing].map(({ ticket }) => ticket);
  }

  wasApplied(write: number): boolean {
    return this.#applied.has(write);
  }

  #judge({ revision, lines, writes }: Moment): void {
    const at = `revision ${revision}`;
    // Under a guard, so by what stood before it.
    for (const [line, write] of writes) this.#judgeWrite(at, line, write);
    const before = this.#standing;
    this.#standing = new Set();
    for (const line of lines.values()) this.#judgeLine(at, revision, line);
    for (const fate of before) if (!this.#standing.has(fate)) fate.goneAt = revision;
    this.#judgeGroups(at);
  }

  #judgeLine(at: string, revision: bigint, line: Line): void {
    const { rule, name } = this.#kind;
    const fates = line.tickets.map((ticket) => this.#see(at, ticket));
    const isNew = ({ ticket, admittedAt }: Fate): boolean =>
      admittedAt === undefined && rule.mayPass(line, ticket);
    const admitted = fates.filter(isNew);
    for (const fate of admitted) Object.assign(fate, { admittedAt: revision, limit: line.limit });
    const holders = fates.filter(({ admittedAt }) => admittedAt !== undefined).map(({ ticket }) => ticket);
    if (admitted.length > 0 && !rule.mayHoldTogether(holders, line.limit))
      this.#report(`${at}: may not hold together: ${holders.map(describeTicket).join(', ')}`);
    if (name !== 'mutex') return;
    const leases = new Set(line.tickets.map(({ lease }) => lease));
    if (leases.size < line.tickets.length)
      this.#report(`${at}: one session stands in a line of mutexes twice`);
  }

  #see(at: string, ticket: Ticket): Fate {
    const known = this.#fates.get(idOf(ticket));
    if (known?.goneAt !== undefined) this.#report(`${at}: ${describeTicket(ticket)} has come back`);
    if (known && known.ticket.mode === 'read' && ticket.mode === 'write')
      this.#report(`${at}: ${describeTicket(ticket)} became a writer in place`);
    if (known && Number(known.ticket.value) > Number(ticket.value))
      this.#report(`${at}: ${describeTicket(ticket)}: "${ticket.value}" overwrote "${known.ticket.value}"`);
    const fate: Fate = known ?? { ticket, admittedAt: undefined, limit: undefined, goneAt: undefined };
    fate.ticket = ticket;
    this.#fates.set(idOf(ticket), fate);
    this.#standing.add(fate);
    return fate;
  }

  /** What was put by one transaction stands and falls together. */
  #judgeGroups(at: string): void {
    const byName = new Map<string, Ticket[]>();
    for (const { ticket } of this.#standing) {
      const group = byName.get(ticket.name);
      if (group) group.push(ticket);
      else byName.set(ticket.name, [ticket]);
    }
    for (const [name, group] of byName) {
      const size = this.#groupSizes.get(name) ?? group.length;
      this.#groupSizes.set(name, size);
      if (new Set(group.map(({ create }) => create)).size > 1)
        this.#report(`${at}: the tickets ${name} were not put by one transaction`);
      if (group.length !== size) this.#report(`${at}: of ${size} tickets ${name} only ${group.length} stand`);
    }
  }

  #judgeWrite(at: string, line: string, { id, token, keys }: Write): void {
    this.#applied.add(id);
    for (const key of keys) {
      const fate = this.fateOf(key, token);
      if (!fate || fate.goneAt !== undefined)
        this.#report(`${at}: a guarded write by ${key} (token ${token}), whose ticket is gone`);
      else if (fate.admittedAt === undefined)
        this.#report(`${at}: a guarded write by ${key} (token ${token}), which only waits`);
    }
    if (this.#kind.folder === 'rw' || this.#kind.folder === 'semaphore') return;
    const latest = this.#writtenBy.get(line) ?? 0n;
    if (token < latest) this.#report(`${at}: a write with token ${token} after one with ${latest}`);
    this.#writtenBy.set(line, token);
  }
}

function idOf({ key, create }: Pick<Ticket, 'key' | 'create'>): string {
  return `${key} ${create}`;
}
