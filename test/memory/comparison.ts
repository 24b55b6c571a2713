import { setTimeout as delay } from 'node:timers/promises';
import type { Calls, Method, Transport, WatchCommand } from '../../src/store/transport.js';
import { TransportError } from '../../src/store/transport.js';
import { comparable, plain } from './plain.js';
import { Side, patienceMs } from './side.js';

const maxReadsInFlight = 64;

/** How much was compared: a run that never saw a certain refusal or an event proves nothing about it. */
export interface Tally {
  answers: number;
  watchEvents: number;
  /** By the server's text. */
  readonly refusals: Map<string, number>;
}

/** The two did not agree. The message says on what, and how to see it again. */
export class Difference extends Error {
  override readonly name = 'Difference';
}

/** Sends each request to an engine and to a server, and compares what comes back. */
export class Comparison {
  readonly engine: Side;
  readonly server: Side;
  readonly tally: Tally = { answers: 0, watchEvents: 0, refusals: new Map() };
  /** Of the operation under way, for the message of a difference. */
  index = 0;
  readonly #replay: string;
  /** Comparisons under way: reads do not wait for each other. */
  #reads: Promise<void>[] = [];

  /** `replay` tells how to see a difference again. */
  constructor(engine: Transport, server: Transport, replay: string) {
    this.engine = new Side(engine);
    this.server = new Side(server);
    this.#replay = replay;
  }

  get sides(): readonly Side[] {
    return [this.engine, this.server];
  }

  /** A read runs beside others; the engine answers before anything else is sent to it. */
  async read<M extends Method>(method: M, request: Calls[M]['request']): Promise<void> {
    const index = this.index;
    const expected = await this.engine.call(method, request);
    const comparison = this.server
      .call(method, request)
      .then((actual) => this.compareAnswers(index, method, request, expected, actual));
    comparison.catch(() => {}); // awaited later
    this.#reads.push(comparison);
    if (this.#reads.length >= maxReadsInFlight) await this.finishReads();
  }

  /** A write must find both stores in the same state. */
  async write<M extends Method>(
    method: M,
    request: Calls[M]['request'],
  ): Promise<Calls[M]['response'] | TransportError> {
    await this.finishReads();
    const expected = await this.engine.call(method, request);
    this.compareAnswers(this.index, method, request, expected, await this.server.call(method, request));
    return expected;
  }

  async finishReads(): Promise<void> {
    const reads = this.#reads;
    this.#reads = [];
    await Promise.all(reads);
  }

  /** Sends a command to both sides and waits for its answer, which comes under the id given or under none. */
  async command(command: WatchCommand, watchId: bigint): Promise<void> {
    const sizes = (side: Side): number => side.log.lines(watchId).length + side.log.lines(-1n).length;
    const before = sizes(this.server);
    for (const side of this.sides) side.watch.send(command);
    await this.until(plain(command), () => sizes(this.server) > before);
    this.#compareLogs(plain(command), { finished: false });
  }

  /** Waits until the server has delivered what the engine has; then both must have delivered the same. */
  async settle(): Promise<void> {
    await this.finishReads();
    const { log: expected } = this.engine;
    const { log: actual } = this.server;
    await this.until('watch events', () =>
      expected.watchIds.every((id) => actual.lines(id).length >= expected.lines(id).length),
    );
    this.#compareLogs('watch events', { finished: true });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#reads);
    for (const side of this.sides) side.close();
  }

  #compareLogs(what: string, { finished }: { finished: boolean }): void {
    for (const id of new Set([...this.engine.log.watchIds, ...this.server.log.watchIds])) {
      const expected = this.engine.log.lines(id);
      const actual = this.server.log.lines(id);
      // The server may lag; it must not differ.
      const length = finished ? expected.length : Math.min(expected.length, actual.length);
      if (finished) this.tally.watchEvents += expected.filter((line) => line.startsWith('event')).length;
      this.compare(
        this.index,
        `${what}, watch ${id}`,
        expected.slice(0, length),
        finished ? actual : actual.slice(0, length),
      );
    }
    this.compare(this.index, 'order of events', this.engine.log.problems, []);
    this.compare(this.index, 'order of events', [], this.server.log.problems);
    if (finished) for (const side of this.sides) side.log.clear();
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs;
    for (let pause = 0; !condition(); pause = Math.min(pause + 1, 10)) {
      if (performance.now() > deadline) {
        this.#compareLogs(what, { finished: true });
        throw this.#difference(this.index, what, 'an answer', `none in ${patienceMs} ms`);
      }
      await delay(pause);
    }
  }

  compareAnswers<M extends Method>(
    index: number,
    method: M,
    request: Calls[M]['request'],
    expected: Calls[M]['response'] | TransportError,
    actual: Calls[M]['response'] | TransportError,
  ): void {
    this.tally.answers++;
    if (expected instanceof TransportError) increment(this.tally.refusals, expected.detail);
    const what = `${method} ${plain(request)}`;
    this.compare(index, what, comparable(request, expected), comparable(request, actual));
  }

  compare(index: number, what: string, expected: unknown, actual: unknown): void {
    const [fromEngine, fromServer] = [plain(expected), plain(actual)];
    if (fromEngine !== fromServer) throw this.#difference(index, what, fromEngine, fromServer);
  }

  #difference(index: number, what: string, fromEngine: string, fromServer: string): Difference {
    return new Difference(
      [
        `operation ${index}: ${what}`,
        `engine: ${fromEngine}`,
        `server: ${fromServer}`,
        `replay: ${this.#replay}`,
      ].join('\n'),
    );
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
