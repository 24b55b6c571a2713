import { toText } from '../base/bytes.js';
import { UnsupportedError } from '../base/errors.js';
import { messageKey, type Place, sessionKey, ticketNameIn } from '../base/keys.js';
import { checkOptions, checkTimeout, type Wait } from '../base/wait.js';
import { compare, type Op, prefix, put, remove } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { atOnce } from './at-once.js';
import type { Connection } from './connection.js';
import type { Line, LineState } from './line.js';
import { checkKind, type LineKind, lineKinds, lineOf } from './line-kinds.js';
import { once } from './once.js';
import { encodeMessage, type Message } from './release-request.js';
import { readContent, readTicket, type TicketInfo } from './ticket-value.js';

export interface RequestReleaseOptions {
  /** Told to the holder: who is to give something up wants to know what for. @default 'no reason given' */
  readonly reason?: string;
  /** How soon it is wanted, milliseconds. Told to the holder, and no more: nothing happens then. @default not said */
  readonly deadlineMs?: number;
}

export interface ForceReleaseOptions {
  /** Told to whom it hits. @default 'no reason given' */
  readonly reason?: string;
  /** The key of the ticket, as `inspect` and `list` show it; it may be that of a waiter. @default the oldest in line */
  readonly ticket?: string;
}

/** Asks all who hold: see `Conclave.requestRelease`. */
export async function requestRelease(
  connection: Connection,
  kind: LineKind,
  place: Place,
  options: RequestReleaseOptions,
): Promise<TicketInfo[]> {
  const line = lineOf(connection.namespace, checkKind(kind), place);
  const what = `${line.title}: requestRelease`;
  checkOptions(options, ['reason', 'deadlineMs'], what);
  const message = messageOf(connection, checkReason(options.reason, what), options.deadlineMs);
  return atOnce(connection, what, async (wait) => {
    const { holders } = lineKinds[kind].divide(await lineNow(connection, { line, kind, place }, wait));
    const tellings = holders.map((kv) => ({ kv, at: addressOf(kv) }));
    for (const { kv, at } of tellings) if (!at) throw cannotBeAsked(kv, line);
    const asked = await Promise.all(
      tellings.map(({ kv, at = '' }) => {
        const ask = { key: messageKey(at, 'ask', ticketNameIn(toText(kv.key))), message };
        return whileItStands(connection, kv, [], ask, wait);
      }),
    );
    // Who has left in the meantime was not asked.
    return holders.filter((_, i) => asked[i]).map(readTicket);
  });
}

/** Takes a ticket away: see `Conclave.forceRelease`. */
export async function forceRelease(
  connection: Connection,
  kind: LineKind,
  place: Place,
  options: ForceReleaseOptions,
): Promise<TicketInfo | undefined> {
  const line = lineOf(connection.namespace, checkKind(kind), place);
  const what = `${line.title}: forceRelease`;
  checkOptions(options, ['reason', 'ticket'], what);
  const message = messageOf(connection, checkReason(options.reason, what));
  const { ticket } = options;
  if (ticket !== undefined) checkTicket(ticket, line, what);
  return atOnce(connection, what, async (wait) => {
    const { tickets } = await lineNow(connection, { line, kind, place }, wait);
    const target = ticket === undefined ? tickets[0] : tickets.find(({ key }) => toText(key) === ticket);
    if (!target) return undefined;
    const info = readTicket(target);
    const at = addressOf(target);
    const name = ticketNameIn(info.key);
    const removals = [info.key, ...(at ? [messageKey(at, 'ask', name)] : [])].map((key) => remove(key));
    const mark = at ? { key: messageKey(at, 'forced', name), message } : undefined;
    return (await whileItStands(connection, target, removals, mark, wait)) ? info : undefined;
  });
}

interface Letter {
  readonly key: string;
  readonly message: Message;
}

/**
 * Removes and tells, in one transaction and once, if the very ticket that was seen still stands: a key is never used by two
 * tickets, and its create revision never returns, so no copy of this can ever hit another.
 *
 * @returns whether it was done
 */
async function whileItStands(
  connection: Connection,
  { key, createRevision }: KeyValue,
  removals: readonly Op[],
  letter: Letter | undefined,
  wait: Wait,
): Promise<boolean> {
  const session = await wait.race(connection.session());
  const puts = letter
    ? // Under our own lease: it goes away with us, should nobody be there to read it.
      [put(letter.key, encodeMessage(letter.message), { lease: session.leaseId })]
    : [];
  const stands = compare.createRevision(key, '=', createRevision);
  const { isDone } = await once(session, { if: [stands], then: [...removals, ...puts] }, wait.signal);
  return isDone;
}

interface Target {
  readonly line: Line;
  readonly kind: LineKind;
  readonly place: Place;
}

async function lineNow(
  { store }: Connection,
  { line, kind, place }: Target,
  { signal }: Wait,
): Promise<LineState> {
  const { header, kvs } = await store.get(prefix(line.prefix), { signal });
  // What a candidate by path stands for is the user's, and says nothing about its ticket, whatever it looks like.
  const isRaw = kind === 'election' && typeof place !== 'string';
  return line.stateOf(header.revision, isRaw ? kvs.map((kv) => ({ ...kv, value: noValue })) : kvs);
}

const noValue = new Uint8Array();

/** The key of the session behind a ticket, below which it can be told something; undefined for other programs. */
function addressOf(ticket: KeyValue): string | undefined {
  const ns = readContent(ticket)?.holder?.ns;
  return ns === undefined ? undefined : sessionKey(ns, ticket.lease);
}

function messageOf({ options, runtime }: Connection, reason: string, deadlineMs = Infinity): Message {
  const isFinite = checkTimeout(deadlineMs, 'deadlineMs') !== Infinity;
  return { by: options.holder, reason, at: runtime.wallNow(), ...(isFinite && { deadlineMs }) };
}

/** @throws TypeError */
function checkReason(reason: string | undefined, what: string): string {
  if (reason === undefined) return 'no reason given';
  if (typeof reason === 'string' && reason.trim() !== '') return reason;
  throw new TypeError(`${what}: the reason must be a text; leave it out if there is none`);
}

/** @throws TypeError unless it can be a ticket of the line */
function checkTicket(ticket: string, line: Line, what: string): void {
  const start = line.keyOf('');
  if (typeof ticket === 'string' && ticket.startsWith(start) && ticket.length > start.length) return;
  throw new TypeError(`${what}: a ticket of this line begins with ${start}; got ${JSON.stringify(ticket)}`);
}

function cannotBeAsked({ key }: KeyValue, line: Line): UnsupportedError {
  return new UnsupportedError(
    `${line.title}: ticket ${toText(key)} is of another program, which cannot be asked; forceRelease takes it away`,
  );
}
