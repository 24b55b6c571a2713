import type { StreamListener, TransportError, WatchMessage } from '../../src/store/transport.js';
import { plain } from './plain.js';

/**
 * What a watch stream delivered, per watch, in a form that two of them can be compared by: how events are cut into
 * messages is left out, but not that a revision is never cut.
 */
export class WatchLog implements StreamListener<WatchMessage> {
  /** Broken promises of the stream itself. */
  readonly problems: string[] = [];
  readonly #lines = new Map<bigint, string[]>();
  readonly #lastRevision = new Map<bigint, bigint>();
  readonly #ignored = new Map<bigint, bigint>();
  #midRevision = false;

  message({ watchId, events, header, fragment, ...control }: WatchMessage): void {
    if (events.length === 0) {
      this.#add(watchId, `control ${plain({ ...control, revision: header.revision })}`);
      return;
    }
    const first = events[0]!.kv.modRevision;
    const last = events.at(-1)!.kv.modRevision;
    if (!this.#midRevision && first <= (this.#lastRevision.get(watchId) ?? 0n))
      this.problems.push(`watch ${watchId}: revision ${first} came in pieces or out of order`);
    if (header.revision < last) this.problems.push(`watch ${watchId}: the header is older than an event`);
    this.#lastRevision.set(watchId, last);
    this.#midRevision = fragment;
    for (const event of events)
      if (event.kv.modRevision !== this.#ignored.get(watchId)) this.#add(watchId, `event ${plain(event)}`);
  }

  ended(error: TransportError): void {
    this.problems.push(`the stream ended: ${error.message}`);
  }

  /** Leaves events of this revision out. */
  ignore(watchId: bigint, revision: bigint): void {
    this.#ignored.set(watchId, revision);
  }

  get watchIds(): readonly bigint[] {
    return [...this.#lines.keys()];
  }

  lines(watchId: bigint): readonly string[] {
    return this.#lines.get(watchId) ?? [];
  }

  /** Forgets the lines; what has been compared need not be compared again. */
  clear(): void {
    this.#lines.clear();
  }

  #add(watchId: bigint, line: string): void {
    const lines = this.#lines.get(watchId);
    if (lines === undefined) this.#lines.set(watchId, [line]);
    else lines.push(line);
  }
}
