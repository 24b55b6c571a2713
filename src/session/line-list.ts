import { toText } from '../base/bytes.js';
import { CompactedError } from '../base/errors.js';
import { get, range, type GetOp, prefixEnd } from '../store/operations.js';
import { toBytes } from '../base/bytes.js';
import type { KeyValue } from '../store/results.js';
import type { Store } from '../store/store.js';
import { sortTickets } from './line-view.js';
import { readTicket, type TicketInfo } from './ticket-value.js';

const pageSize = 500;

export interface ListedLine {
  /** As escaped in the key. */
  readonly name: string;
  /** In the line's order. */
  readonly tickets: readonly TicketInfo[];
}

/** All lines below a prefix, in the order of their names, each complete; a page of keys at a time. */
export async function* listLines(
  store: Store,
  kindPrefix: string,
): AsyncGenerator<ListedLine, void, undefined> {
  let current: { name: string; kvs: KeyValue[] } | undefined;
  for await (const kv of keysBelow(store, kindPrefix)) {
    const name = toText(kv.key).slice(kindPrefix.length).split('/')[0] ?? '';
    if (current && current.name !== name) yield complete(current);
    if (current?.name === name) current.kvs.push(kv);
    else current = { name, kvs: [kv] };
  }
  if (current) yield complete(current);
}

function complete({ name, kvs }: { name: string; kvs: readonly KeyValue[] }): ListedLine {
  return { name, tickets: sortTickets(kvs).map(readTicket) };
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
