import { type Conclave, connect, isConclaveError, prefix, toText } from '../../src/index.js';

/** Everything below is written by `Writers`, and nothing else in the store: each revision is one put of one key. */
const root = 'long/';
const keyCount = 64;
const writersPerClient = 20;

/** Clients that put as fast as they can, each pair `key=value` once, and know what was acknowledged at which revision. */
export class Writers implements AsyncDisposable {
  readonly acknowledged: Map<bigint, string> = new Map();
  /** Sent, and not answered: there at one revision or at none. */
  readonly uncertain: Set<string> = new Set();
  readonly #clients: readonly Conclave[];
  #written = 0;
  #limit = 0;

  private constructor(clients: readonly Conclave[]) {
    this.#clients = clients;
  }

  static async connect(endpoints: readonly string[], clients: number): Promise<Writers> {
    const connecting = Array.from({ length: clients }, () => connect({ endpoints, dialTimeoutMs: 20_000 }));
    return new Writers(await Promise.all(connecting));
  }

  /** Resolves when so many more puts have been acknowledged. */
  async write(count: number): Promise<void> {
    this.#limit = this.acknowledged.size + count;
    const all = this.#clients.flatMap((client) => Array.from({ length: writersPerClient }, () => client));
    await Promise.all(all.map((client) => this.#work(client)));
  }

  async #work({ store }: Conclave): Promise<void> {
    while (this.acknowledged.size < this.#limit) {
      const n = this.#written++;
      const [key, value] = [`${root}${n % keyCount}`, String(n)];
      try {
        const { header } = await store.put(key, value, { timeoutMs: 20_000 });
        this.acknowledged.set(header.revision, `${key}=${value}`);
      } catch (error) {
        if (isConclaveError(error, 'OUTCOME_UNKNOWN')) this.uncertain.add(`${key}=${value}`);
        else if (!isConclaveError(error, 'UNAVAILABLE')) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

/** What a reader was told to be compacted, and what it went on from. */
export interface Skip {
  /** The first revision that it did not see. */
  readonly from: bigint;
  /** The last one: what it has read instead is the store at this revision. */
  readonly to: bigint;
  readonly state: ReadonlyMap<string, string>;
}

/** Watches all of it, from a revision on, and keeps what it was shown. */
export class Reader implements AsyncDisposable {
  readonly seen: Map<bigint, string> = new Map();
  readonly skips: Skip[] = [];
  /** What cannot be, if it was shown: a revision out of turn, or of more than one event. */
  readonly nonsense: string[] = [];
  /** Rejects if the watch ends for another reason than a compaction. */
  readonly ended: Promise<void>;
  readonly #client: Conclave;
  readonly #stop = new AbortController();
  #next: bigint;
  #sleep: Promise<void> | undefined;
  #wake = (): void => {};

  private constructor(client: Conclave, from: bigint) {
    this.#client = client;
    this.#next = from;
    this.ended = this.#read();
    this.ended.catch(() => {}); // whoever waits for it hears of it
  }

  static async start(endpoints: readonly string[], from: bigint): Promise<Reader> {
    return new Reader(await connect({ endpoints, dialTimeoutMs: 20_000 }), from);
  }

  /** The first revision that it has not seen. */
  get next(): bigint {
    return this.#next;
  }

  /** The member that it watches. */
  get endpoint(): string {
    return this.#client.store.endpoint;
  }

  /** From now on it takes nothing, so that the watch stops reading. */
  fallAsleep(): void {
    this.#sleep = new Promise((resolve) => (this.#wake = resolve));
  }

  wakeUp(): void {
    this.#sleep = undefined;
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.wakeUp();
    await this.#client.close();
    await this.ended.catch(() => {});
  }

  async #read(): Promise<void> {
    for (;;) {
      try {
        await this.#watch();
      } catch (error) {
        if (!isConclaveError(error, 'COMPACTED')) throw error;
        await this.#skipTo(error.compactRevision);
      }
    }
  }

  async #watch(): Promise<void> {
    const { store } = this.#client;
    const options = { startRevision: this.#next, signal: this.#stop.signal };
    for await (const notice of store.watch(prefix(root), options)) {
      if (notice.kind !== 'events') continue;
      await this.#sleep;
      const pairs = notice.events.map(({ kv }) => `${toText(kv.key)}=${toText(kv.value)}`);
      const isNext = notice.revision === this.#next && notice.events[0]?.kv.modRevision === this.#next;
      if (!isNext || pairs.length !== 1)
        this.nonsense.push(`after ${this.#next - 1n} came ${notice.revision}: ${pairs.join(' ')}`);
      this.seen.set(notice.revision, pairs.join(' '));
      this.#next = notice.revision + 1n;
    }
  }

  async #skipTo(revision: bigint): Promise<void> {
    const { kvs } = await this.#client.store.get(prefix(root), { revision });
    const state = new Map(kvs.map(({ key, value }) => [toText(key), toText(value)]));
    this.skips.push({ from: this.#next, to: revision, state });
    this.#next = revision + 1n;
  }
}
