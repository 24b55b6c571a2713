/**
 * Where things are stored. `docs/keys.md` describes the layout for administrators and other programs; a golden test
 * keeps it, since clients of different versions share it during a rolling deploy.
 */
export type LineFolder =
  | 'lock'
  | 'rw'
  | 'semaphore'
  | 'election'
  | 'queue'
  | 'double-barrier'
  | 'cyclic-barrier'
  | 'latch'
  | 'group';

/** A name within the namespace, or a raw prefix shared with other programs (Go's layout: `<path>/<ticket>`). */
export type Place = string | { readonly path: string };

const maxNameBytes = 512;

/** @throws TypeError unless it is a non-empty, well-formed string without "/" at either end */
export function checkNamespace(namespace: string): string {
  if (typeof namespace !== 'string' || namespace === '')
    throw new TypeError('namespace must be a non-empty string');
  if (namespace.startsWith('/') || namespace.endsWith('/')) {
    throw new TypeError(`namespace must not begin or end with "/": ${JSON.stringify(namespace)}`);
  }
  if (!namespace.isWellFormed()) throw new TypeError('namespace contains a lone surrogate');
  return namespace;
}

/** The key of a session; also the prefix of everything that is said to it. */
export function sessionKey(namespace: string, leaseId: bigint): string {
  return `${namespace}/session/${leaseId.toString(16).padStart(16, '0')}`;
}

/** What others put below the key of a session: that a ticket of it is asked back, or was taken away by force. */
export type MessageKind = 'ask' | 'forced';

/** Where a session is told something about one of its tickets. @param session its key */
export function messageKey(session: string, kind: MessageKind, ticket: string): string {
  return `${session}/${kind}/${ticket}`;
}

/** What the key of a message says; undefined if it is none. @param session the key of the session it is for */
export function messageIn(session: string, key: string): { kind: MessageKind; ticket: string } | undefined {
  if (!key.startsWith(`${session}/`)) return undefined;
  const [, kind, ticket] = /^(ask|forced)\/([^/]+)$/.exec(key.slice(session.length + 1)) ?? [];
  return ticket === undefined ? undefined : { kind: kind as MessageKind, ticket };
}

/** Where the receipts of a session stand. */
export function receiptPrefix(namespace: string, leaseId: bigint): string {
  return `${namespace}/did/${leaseId.toString(16).padStart(16, '0')}/`;
}

/** Prefix of all lines in a folder. */
export function folderPrefix(namespace: string, folder: LineFolder): string {
  return `${namespace}/${folder}/`;
}

/**
 * The prefix under which the tickets of a line stand, with its final "/".
 *
 * Names are escaped, so that `a` and `a/b` are different lines and neither contains the other.
 *
 * @throws TypeError for an empty name or path, or one that is no well-formed text; RangeError for one that is too long
 */
export function linePrefix(namespace: string, folder: LineFolder, place: Place): string {
  if (typeof place === 'string') return `${folderPrefix(namespace, folder)}${encodeName(place)}/`;
  return `${pathOf(place)}/`;
}

/** The key of a gate: a path is the key itself, as for Go's `recipes.Barrier`. @throws TypeError, RangeError as `linePrefix` */
export function gateKey(namespace: string, place: Place): string {
  return typeof place === 'string' ? `${namespace}/gate/${encodeName(place)}` : pathOf(place);
}

/** The key of a counter. @throws TypeError, RangeError for a bad name */
export function counterKey(namespace: string, name: string): string {
  return `${namespace}/counter/${encodeName(name)}`;
}

/** Where the first id is that nobody has. @throws TypeError, RangeError for a bad name */
export function idsKey(namespace: string, name: string): string {
  return `${namespace}/ids/${encodeName(name)}`;
}

/** The key of a value of configuration: a path is the key itself. @throws TypeError, RangeError as `linePrefix` */
export function configKey(namespace: string, place: Place): string {
  return typeof place === 'string' ? `${namespace}/config/${encodeName(place)}` : pathOf(place);
}

function pathOf(place: Place): string {
  const path: unknown = (place as { readonly path: string } | null | undefined)?.path; // from plain JavaScript
  if (typeof path !== 'string' || path === '') {
    throw new TypeError('expected a name, or { path } with a non-empty path');
  }
  if (!path.isWellFormed()) throw new TypeError('path contains a lone surrogate');
  return path;
}

export function encodeName(name: string): string {
  if (typeof name !== 'string' || name === '') throw new TypeError('name must be a non-empty string');
  if (!name.isWellFormed()) throw new TypeError('name contains a lone surrogate');
  const encoded = encodeURIComponent(name);
  if (encoded.length > maxNameBytes)
    throw new RangeError(`name is longer than ${maxNameBytes} bytes (escaped)`);
  return encoded;
}

/** What is no escaped name (another program's key under our prefix) stays as it is. */
export function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

/** Where the lock delay of a line is marked. @param line its prefix */
export function delayKey(namespace: string, line: string): string {
  return `${namespace}/delay/${encodeURIComponent(line)}`;
}

/** Never put: named by transactions that have to count as writing. */
export function quotaProbeKey(namespace: string): string {
  return `${namespace}/quota-probe`;
}

/** What has no lease, and a meaning of its own. */
const settings: readonly RegExp[] = [
  /\/semaphore\/[^/]+\/(limit|before)$/,
  /\/gate\/[^/]+$/,
  /\/(counter|ids)\/[^/]+$/,
  /\/config\/[^/]+(\/|$)/,
  /\/latch\/[^/]+\/(count$|arrived\/)/,
  // What has become of a round, and that somebody has left it: after a crash it may stay until the next one.
  /\/(cyclic|double)-barrier\/[^/]+\/((leave\/[^/]+\/)?out(\/|$)|left$)/,
  /\/shards\/[^/]+$/,
  /\/queue\/[^/]+\/(?!workers\/t\/|upkeep\/|permits\/t\/|active\/)/,
];

/** Whether a key is meant to stay when everybody has gone: a setting, not a place in a line. */
export function isSetting(key: string): boolean {
  return settings.some((setting) => setting.test(key));
}

/** Unique for ever: lease ids are never used again, the counter never within a session. */
export function ticketName(leaseId: bigint, counter: number): string {
  return `${leaseId.toString(16)}-${counter}`;
}

/** The last part of a ticket's key. */
export function ticketNameIn(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** For messages: a name, or the path. */
export function placeText(place: Place): string {
  return JSON.stringify(typeof place === 'string' ? place : place.path);
}
