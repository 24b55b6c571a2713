import { toText } from '../base/bytes.js';
import { CompactedError } from '../base/errors.js';
import { checkOptions } from '../base/wait.js';
import { decodeName, folderPrefix } from '../base/keys.js';
import { get, range, type GetOp, prefixEnd } from '../store/operations.js';
import { toBytes } from '../base/bytes.js';
import type { KeyValue } from '../store/results.js';
import type { Store } from '../store/store.js';
import type { Connection } from './connection.js';
import { checkKind, lineAt, lineKinds, type LineKind } from './line-kinds.js';
import { readTicket, type TicketInfo } from './ticket-value.js';

const pageSize = 500;

/** What `list` tells of one line. */
export interface ListEntry {
  readonly kind: LineKind;
  readonly name: string;
  /** In the line's order, both. */
  readonly holders: readonly TicketInfo[];
  readonly waiters: readonly TicketInfo[];
}

export interface ListOptions {
  /** @default every kind */
  readonly kind?: LineKind;
}

/** All lines of a namespace in which somebody stands. @throws TypeError for an unknown kind */
export async function* listLines(
  { namespace, store, closing }: Connection,
  options: ListOptions,
): AsyncGenerator<ListEntry, void, undefined> {
  checkOptions(options, ['kind'], 'list');
  const { kind } = options;
  for (const each of kind ? [checkKind(kind)] : (Object.keys(lineKinds) as LineKind[])) {
    for await (const line of linesOf(store, namespace, each)) {
      closing.throwIfAborted();
      yield line;
    }
  }
}

/** All lines of a kind in which somebody stands, in the order of their names, each complete; a page of keys at a time. */
async function* linesOf(
  store: Store,
  namespace: string,
  kind: LineKind,
): AsyncGenerator<ListEntry, void, undefined> {
  const start = folderPrefix(namespace, lineKinds[kind].folder);
  for await (const [folder, kvs] of byFolder(keysBelow(store, start), start)) {
    const line = lineAt(kind, { prefix: `${start}${folder}/`, title: folder });
    const { holders, waiters } = lineKinds[kind].divide(line.stateOf(0n, kvs));
    if (holders.length + waiters.length === 0) continue; // a semaphore that nobody uses
    yield {
      kind,
      name: decodeName(folder),
      holders: holders.map(readTicket),
      waiters: waiters.map(readTicket),
    };
  }
}

async function* byFolder(
  kvs: AsyncIterable<KeyValue>,
  start: string,
): AsyncGenerator<readonly [folder: string, kvs: readonly KeyValue[]], void, undefined> {
  let current: { folder: string; kvs: KeyValue[] } | undefined;
  for await (const kv of kvs) {
    const folder = toText(kv.key).slice(start.length).split('/')[0] ?? '';
    if (current && current.folder !== folder) yield [current.folder, current.kvs];
    if (current?.folder === folder) current.kvs.push(kv);
    else current = { folder, kvs: [kv] };
  }
  if (current) yield [current.folder, current.kvs];
}

/** Page by page, all at the revision of the first; if that is compacted meanwhile, the rest is as it is then. */
async function* keysBelow(store: Store, start: string): AsyncGenerator<KeyValue, void, undefined> {
  const end = prefixEnd(toBytes(start));
  let from = toBytes(start);
  let revision = 0n;
  while (true) {
    const page: GetOp = get(range(from, end), { limit: pageSize, revision });
    const { header, kvs, more } = await store.do(page).catch((error: unknown) => {
      if (!(error instanceof CompactedError)) throw error;
      return store.do({ ...page, revision: 0n });
    });
    yield* kvs;
    const last = kvs.at(-1);
    if (!more || !last) return;
    if (revision === 0n) revision = header.revision;
    from = new Uint8Array([...last.key, 0]);
  }
}
