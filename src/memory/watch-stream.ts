import { compareBytes } from '../base/bytes.js';
import type { KeyRange } from '../store/operations.js';
import type { Header } from '../store/results.js';
import type {
  Stream,
  StreamListener,
  TransportError,
  WatchCommand,
  WatchMessage,
} from '../store/transport.js';
import type { Mvcc } from './mvcc.js';
import { Outbox } from './outbox.js';
import type { WatchHub } from './watch-hub.js';
import { Watcher } from './watcher.js';

type WatchRequest = Extract<WatchCommand, { kind: 'create' }>;

/** How many revisions a watch that starts in the past gets in one message. */
const maxRevisionsPerMessage = 1000;

/** The id in a message that belongs to no watch. */
const noWatch = -1n;

/** The server's side of a watch stream: any number of watches, one order of messages. */
export class WatchStream implements Stream<WatchCommand> {
  readonly #store: Mvcc;
  readonly #hub: WatchHub;
  readonly #header: (revision: bigint) => Header;
  readonly #outbox: Outbox<WatchMessage>;
  /** Also those that ended since their start was compacted: their id stays taken until it is cancelled. */
  readonly #watchers = new Map<bigint, Watcher>();

  constructor(
    { store, hub, header }: { store: Mvcc; hub: WatchHub; header: (revision: bigint) => Header },
    listener: StreamListener<WatchMessage>,
  ) {
    this.#store = store;
    this.#hub = hub;
    this.#header = header;
    this.#outbox = new Outbox(listener);
  }

  send(command: WatchCommand): void {
    if (!this.#outbox.isOpen) return;
    switch (command.kind) {
      case 'create':
        return this.#create(command);
      case 'cancel':
        return this.#cancel(command.watchId);
      case 'progress':
        return this.#push({ watchId: noWatch });
    }
  }

  end(error: TransportError): void {
    this.#forgetAll();
    this.#outbox.end(error);
  }

  close(): void {
    this.#forgetAll();
    this.#outbox.close();
  }

  #create(command: WatchRequest): void {
    const request = { ...command, range: watchedRange(command.range) };
    const { watchId } = request;
    const cancelReason = this.#reasonToRefuse(request);
    if (cancelReason !== undefined) {
      this.#push({ watchId: noWatch, created: true, canceled: true, cancelReason });
      return;
    }
    this.#push({ watchId, created: true });

    const next = this.#store.revision + 1n;
    const start = request.startRevision === 0n ? next : request.startRevision;
    const watcher = new Watcher(request, start, this.#store, (events, revision) =>
      this.#push({ watchId, events }, revision),
    );
    this.#watchers.set(watchId, watcher);
    const { compactedRevision } = this.#store;
    if (start < next && start < compactedRevision) {
      this.#push({ watchId, canceled: true, compactRevision: compactedRevision }, 0n);
      return;
    }
    this.#catchUp(watcher);
    this.#hub.add(watcher);
  }

  #reasonToRefuse({ watchId, range: { key, end } }: WatchRequest): string | undefined {
    const isFromKey = end?.length === 1 && end[0] === 0;
    if (end !== undefined && end.length > 0 && !isFromKey && compareBytes(key, end) >= 0)
      return 'mvcc: watcher range is empty';
    if (this.#watchers.has(watchId)) return 'mvcc: duplicate watch ID provided on the WatchStream';
    return undefined;
  }

  /** Delivers what happened between the watcher's start and now. */
  #catchUp(watcher: Watcher): void {
    const missed = this.#store
      .changesSince(watcher.startRevision)
      .map((changes) => changes.filter((change) => watcher.wants(change)))
      .filter((changes) => changes.length > 0);
    for (let i = 0; i < missed.length; i += maxRevisionsPerMessage)
      watcher.accept(missed.slice(i, i + maxRevisionsPerMessage).flat(), this.#store.revision);
  }

  #cancel(watchId: bigint): void {
    const watcher = this.#watchers.get(watchId);
    if (watcher === undefined) return; // etcd does not answer either
    this.#hub.remove(watcher);
    this.#watchers.delete(watchId);
    this.#push({ watchId, canceled: true });
  }

  #forgetAll(): void {
    for (const watcher of this.#watchers.values()) this.#hub.remove(watcher);
    this.#watchers.clear();
  }

  #push(message: Partial<WatchMessage> & { watchId: bigint }, revision: bigint = this.#store.revision): void {
    this.#outbox.push({
      header: this.#header(revision),
      created: false,
      canceled: false,
      cancelReason: '',
      compactRevision: 0n,
      fragment: false,
      events: [],
      ...message,
    });
  }
}

/** Where a read refuses an empty key, a watch takes the smallest one. */
function watchedRange(range: KeyRange): KeyRange {
  return range.key.length === 0 ? { ...range, key: new Uint8Array(1) } : range;
}
