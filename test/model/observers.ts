import { isConclaveError, type Observation } from '../../src/index.js';
import type { Actor } from './actor.js';
import type { LineJudge, Report } from './line-judge.js';
import type { Ticket } from './want.js';

interface Observer {
  readonly actor: Actor;
  readonly name: string;
  last: Observation | undefined;
}

/** Those who look on while others stand for election: what they are told is what was, in order, and nothing is left out. */
export class Observers {
  readonly #judge: LineJudge;
  readonly #report: Report;
  readonly #observers: Observer[] = [];

  constructor(judge: LineJudge, report: Report) {
    this.#judge = judge;
    this.#report = report;
  }

  /** One per actor and election. */
  start(actor: Actor, name: string): void {
    if (this.#observers.some((each) => each.actor === actor && each.name === name)) return;
    const observer = { actor, name, last: undefined };
    this.#observers.push(observer);
    void this.#follow(observer);
  }

  /** Who has not been told yet who leads. */
  get behind(): string[] {
    return this.#observers
      .filter(({ actor }) => actor.state === 'living')
      .filter(({ name, last }) => !isSame(this.#judge.history.latest.get(name)?.tickets[0], last))
      .map(({ actor, name }) => `${actor.name} has not been told who leads ${name}`);
  }

  async #follow(observer: Observer): Promise<void> {
    const { actor, name } = observer;
    try {
      for await (const observation of actor.conclave.election(name).observe()) {
        if (actor.state === 'crashed') return;
        this.#judge.catchUp();
        this.#judgeNext(observer, observation);
        observer.last = observation;
      }
    } catch (error) {
      if (isConclaveError(error, 'CLOSED') && actor.state !== 'living') return;
      this.#report(`${actor.name}: observing ${name} rejected: ${String(error)}`);
    }
  }

  #judgeNext({ actor, name, last }: Observer, next: Observation): void {
    const { history } = this.#judge;
    const what = `${actor.name} was told of ${describe(next)}`;
    if (!isSame(history.at(next.revision, name).tickets[0], next)) this.#report(`${what}, and so it was not`);
    if (!last) return;
    if (next.revision <= last.revision) this.#report(`${what} after ${describe(last)}`);
    // What the store has forgotten may be left out.
    if (last.revision < history.compactedAt) return;
    const between = [...history.during(name, last.revision, next.revision - 1n)];
    if (!between.every(({ tickets: [leader] }) => isSame(leader, last)))
      this.#report(`${what}, and not of one between that and ${describe(last)}`);
  }
}

function isSame(ticket: Ticket | undefined, observation: Observation | undefined): boolean {
  if (!observation) return false;
  const { leader } = observation;
  if (!leader || !ticket) return leader === undefined && ticket === undefined;
  return leader.key === ticket.key && leader.fencingToken === ticket.create && leader.value === ticket.value;
}

function describe({ leader, revision }: Observation): string {
  return `${leader ? `${leader.key} ("${leader.value}")` : 'no leader'} at revision ${revision}`;
}
