import { numberOf } from '../history/facts.js';
import { judgeErrors } from '../history/invariants/reasons.js';
import { barrierCalls, barrierModel } from '../history/models/barrier.js';
import { type Change, operationsOf, type Operation, type Violation } from '../history/record.js';
import { judgeByModel } from '../history/wgl.js';
import { grouped } from './grouped.js';
import type { Evidence } from './workload.js';

/** Which barrier. */
export interface RoundsOptions {
  readonly kind: 'cyclic' | 'double';
  readonly name: string;
  readonly size: number;
}

interface Party {
  readonly ticket: string;
  readonly holder: string;
}

/** A ticket, from its coming. */
interface Stay {
  readonly createRevision: number;
  readonly at: number;
  /** Where it has gone from, and how; undefined as long as it stands. */
  end?: { readonly revision: number; readonly how: 'decided' | 'left' | 'died' };
}

/** What was written about a round. */
interface Outcome {
  readonly kind: 'tripped' | 'broken';
  readonly parties: readonly Party[];
  readonly by: Party | undefined;
  readonly at: number;
  readonly revision: number;
}

/** I6, and that all who have to do with a round are told the same. The holder of a client's tickets is its name. */
export function judgeRounds(evidence: Evidence, options: RoundsOptions): Violation[] {
  const { entries, changes, namespace, lagMs = 0 } = evidence;
  const { kind, name } = options;
  const start = `${namespace}/${kind}-barrier/${name}/`;
  const store = new RoundsInStore(options);
  for (const all of transactions(changes, start)) store.hear(all);
  const operations = operationsOf(entries).filter(({ on }) => on === name);
  const complaints = [
    ...store.complaints,
    ...disagreements(operations, store, lagMs),
    ...(kind === 'double' ? earlyLeaves(operations, store) : []),
  ];
  return [
    ...complaints.map((what) => ({ rule: 'I6', what })),
    ...earlyPasses(operations, store, options.size),
    ...judgeErrors(operations),
  ];
}

/** The barrier as the store has it, one revision after the other. */
class RoundsInStore {
  readonly complaints: string[] = [];
  /** By the create revision of the last ticket that they are about; as long as somebody is there they only grow. */
  readonly outcomes = new Map<number, Outcome>();
  readonly leaves = new Map<number, Outcome>();
  /** By the name of the ticket. */
  readonly stays = new Map<string, Stay>();
  readonly #options: RoundsOptions;
  readonly #passed = new Set<string>();
  #latest = 0;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  hear(all: readonly (Change & { readonly path: readonly string[] })[]): void {
    const hasLeft = all.some(({ type, path: [folder] }) => folder === 'left' && type === 'put');
    for (const change of all) {
      const [folder, name = '', part] = change.path;
      if (folder === 'in' && change.type === 'put' && change.version === 1) this.stays.set(name, change);
      if (folder === 'in' && change.type === 'delete') this.#leave(name, change.revision, hasLeft);
      if (change.type === 'delete') continue;
      if (folder === 'out') this.#decide(parseInt(name, 16), change);
      if (folder === 'leave' && part === 'out') this.#decideLeave(parseInt(name, 16), change);
    }
  }

  #leave(ticket: string, revision: number, hasLeft: boolean): void {
    const stay = this.stays.get(ticket);
    if (!stay) return;
    const isDecided = stay.createRevision <= this.#latest;
    const others = [...this.stays.values()].filter((each) => each !== stay && !each.end);
    const isLast = others.length === 0 && !isDecided;
    const how = isDecided ? 'decided' : isLast || hasLeft ? 'left' : 'died';
    this.stays.set(ticket, { ...stay, end: { revision, how } });
  }

  #decide(round: number, change: Change): void {
    const outcome = read(change);
    const { revision } = change;
    if (change.version > 1) this.#complain(`outcome ${round} was written anew at revision ${revision}`);
    if (round <= this.#latest) this.#complain(`outcome ${round} was written after ${this.#latest}`);
    this.#latest = Math.max(this.#latest, round);
    this.outcomes.set(round, outcome);
    if (outcome.kind === 'tripped') this.#trip(round, outcome);
    else if (this.stays.get(outcome.by?.ticket ?? '')?.end?.how !== 'died')
      this.#complain(`round ${round} is broken by ${outcome.by?.ticket}, which has not died`);
  }

  #trip(round: number, { parties }: Outcome): void {
    const { kind, size } = this.#options;
    if (parties.length !== size) this.#complain(`round ${round} has ${parties.length} parties of ${size}`);
    if (kind === 'double' && [...this.#passed].some((ticket) => this.#stands(ticket)))
      this.#complain(`round ${round} has tripped while another one is inside`);
    for (const { ticket, holder } of parties) {
      const whose = `${ticket} of ${holder}`;
      if (this.#passed.has(ticket))
        this.#complain(`${whose} passes in round ${round}, and has passed before`);
      const stay = this.stays.get(ticket);
      if (!stay) this.#complain(`${whose} is in round ${round}, and never came`);
      if (stay?.end?.how === 'left') this.#complain(`${whose} is in round ${round}, and had left`);
      // It is about the last of its parties: all were there when that one came.
      else if (stay?.end && stay.end.revision <= round)
        this.#complain(`${whose} is in round ${round}, and had gone by revision ${stay.end.revision}`);
      this.#passed.add(ticket);
    }
  }

  #stands(ticket: string): boolean {
    const stay = this.stays.get(ticket);
    return stay !== undefined && !stay.end;
  }

  #decideLeave(round: number, change: Change): void {
    if (this.leaves.has(round)) this.#complain(`how round ${round} is left was written twice`);
    this.leaves.set(round, read(change));
  }

  #complain(what: string): void {
    this.complaints.push(what);
  }
}

/** What somebody was told is what was written, and about him. */
function* disagreements(
  operations: readonly Operation[],
  store: RoundsInStore,
  lagMs: number,
): Generator<string> {
  const seats = new Set<string>();
  for (const { call, client, output, input, error, outcome, id, invokedAt, returnedAt } of operations) {
    const who = `${client} (${id})`;
    const number = numberOf(call === 'enter' ? output : input, 'generation');
    const round = store.outcomes.get(number);
    if (call === 'enter' && outcome === 'ok') {
      const index = numberOf(output, 'index');
      const holder = round?.parties[index]?.holder;
      if (round?.kind !== 'tripped') yield `${who} passed in ${number}, which has not tripped`;
      else if (holder !== client) yield `${who} was number ${index} of ${number}, and that is ${holder}`;
      else if (round.at > returnedAt + lagMs) yield `${who} passed in ${number} before it had tripped`;
      if (seats.has(`${number}/${index}`)) yield `two passed in ${number} as number ${index}`;
      seats.add(`${number}/${index}`);
    }
    if (call === 'enter' && error === 'BROKEN_BARRIER') {
      const broken = [...store.outcomes.values()].some(
        ({ kind, at }) => kind === 'broken' && invokedAt < at && at <= returnedAt + lagMs,
      );
      if (!broken) yield `${who} was told of a broken round, and there was none since it came`;
    }
    if (call === 'leave' && (outcome === 'ok' || error === 'BROKEN_BARRIER')) {
      const told = outcome === 'ok' ? 'tripped' : 'broken';
      const kind = store.leaves.get(number)?.kind;
      if (kind !== told) yield `${who} left ${number} as ${told}, and it is ${kind}`;
    }
  }
}

/** By what clients say: nobody passes before each of its round has come. */
function earlyPasses(operations: readonly Operation[], store: RoundsInStore, size: number): Violation[] {
  const enters = grouped(
    operations.filter(({ call }) => call === 'enter'),
    ({ client }) => client,
  );
  return [...store.outcomes].flatMap(([round, { kind, parties }]) => {
    if (kind !== 'tripped') return [];
    const calls = parties.flatMap(({ ticket, holder }, index): Operation[] => {
      const at = store.stays.get(ticket)?.at ?? -Infinity;
      const its = enters.get(holder) ?? [];
      const passed = its.find(({ output }) => output['generation'] === round && output['index'] === index);
      // Else whoever has put the ticket was never told, or had given up before it came.
      const come = passed ?? its.find(({ invokedAt }) => invokedAt <= at);
      if (!come) return [];
      return [{ ...come, id: ticket, ...(!passed && { outcome: 'unknown', returnedAt: Infinity }) }];
    });
    return judgeByModel(barrierModel(size), barrierCalls(calls));
  });
}

/** Nobody is done with leaving before all of its round have begun to. */
function* earlyLeaves(operations: readonly Operation[], store: RoundsInStore): Generator<string> {
  const leaves = operations.filter(({ call }) => call === 'leave');
  for (const { client, input, outcome, returnedAt } of leaves) {
    if (outcome !== 'ok') continue;
    const round = numberOf(input, 'generation');
    for (const { holder } of store.outcomes.get(round)?.parties ?? []) {
      const isIts = (each: Operation): boolean =>
        each.client === holder && numberOf(each.input, 'generation') === round;
      if (!leaves.some((each) => isIts(each) && each.invokedAt <= returnedAt))
        yield `${client} left ${round} at ${returnedAt}, and ${holder} had not begun to`;
    }
  }
}

function read({ value, at, revision }: Change): Outcome {
  const { kind, parties = [], by } = JSON.parse(value) as Partial<Outcome>;
  return { kind: kind === 'tripped' ? kind : 'broken', parties, by, at, revision };
}

/** What happens below a prefix, whole revision by whole revision. */
function transactions(
  changes: readonly Change[],
  start: string,
): readonly (Change & { readonly path: readonly string[] })[][] {
  const its = changes
    .filter(({ key }) => key.startsWith(start))
    .map((change) => ({ ...change, path: change.key.slice(start.length).split('/') }));
  return [...grouped(its, ({ revision }) => revision).values()];
}
