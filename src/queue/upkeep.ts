import { isConclaveError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import { Admission } from '../session/admission.js';
import type { Connection } from '../session/connection.js';
import { demand } from '../session/demand.js';
import { Hold } from '../session/hold.js';
import { Line } from '../session/line.js';
import { noOlderTicket } from '../session/rules.js';
import { promoteDue } from './due.js';
import { fillGroup, groupsOf } from './groups.js';
import type { CheckedQueueOptions } from './queue-options.js';
import { reclaimOrphans } from './reclaim.js';
import type { QueueParts } from './settle.js';

/** How often to look at all groups. */
const groupsMs = 60_000;
const maxPauseMs = 30_000;

/** The queues that a connection takes part in looking after, by their prefixes. */
const lookedAfter = new WeakMap<Connection, Set<string>>();

/** Something that has to be done for a queue, by one process at a time; ends when the signal aborts. */
export type Duty = (signal: AbortSignal) => Promise<void>;

/**
 * What has to be done for a queue though nobody asks for it: jobs of lost workers are given to others, delayed ones are
 * made ready when their time comes, schedules fire. Of all processes that have ever received from the queue, or have
 * scheduled something, one does it, until it closes or is lost. Only to spare the store: should two do it for a while,
 * nothing happens twice.
 */
export class Upkeep {
  readonly #parts: QueueParts;
  readonly #options: CheckedQueueOptions;
  readonly #further: readonly Duty[];
  readonly #admission: Admission;

  constructor(parts: QueueParts, options: CheckedQueueOptions, further: readonly Duty[]) {
    const { connection, layout } = parts;
    const line = new Line({ prefix: layout.upkeep, title: `upkeep of ${layout.title}` });
    this.#parts = parts;
    this.#options = options;
    this.#further = further;
    this.#admission = new Admission(connection, { lines: [line], title: line.title });
  }

  /**
   * Takes part from now on, until the connection closes; once, however many objects there are for the queue. No I/O before
   * this returns.
   */
  start(): void {
    const { connection, layout } = this.#parts;
    const prefixes = lookedAfter.get(connection) ?? new Set();
    lookedAfter.set(connection, prefixes);
    if (prefixes.has(layout.prefix)) return;
    prefixes.add(layout.prefix);
    void this.#run();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { connection } = this.#parts;
    const { closing, runtime } = connection;
    let failures = 0;
    while (!closing.aborted) {
      try {
        const hold = await this.#admission.acquire(oneOfUs, {}, (admitted) => new Hold(admitted));
        failures = 0;
        await connection.track(hold.during(() => this.#lookAfter(hold.signal)));
      } catch (error) {
        if (isConclaveError(error, 'SESSION_LOST') && connection.isForOneSession) return;
        const pauseMs = Math.min(maxPauseMs, 100 * 2 ** failures++);
        const options = { signal: closing, background: true };
        await sleep(runtime, pauseMs * (1 - runtime.random() / 2), options).catch(() => {});
      }
    }
  }

  /** Resolves when the signal has aborted. */
  async #lookAfter(signal: AbortSignal): Promise<void> {
    const { maxCrashes } = this.#options;
    const onGroup = (group: string): void => void this.#fill(group, signal);
    const duties: readonly Duty[] = [
      (over) => reclaimOrphans(this.#parts, { maxCrashes, onGroup }, over),
      (over) => promoteDue(this.#parts, onGroup, over),
      (over) => this.#fillGroups(over),
      ...this.#further,
    ];
    await Promise.all(duties.map((duty) => this.#persevere(duty, signal)));
  }

  /** Does it again and again, whatever goes wrong, with a pause in between. */
  async #persevere(duty: Duty, signal: AbortSignal): Promise<void> {
    const { runtime } = this.#parts.connection;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = runtime.now();
      await duty(signal).catch(() => {});
      if (runtime.now() - startedAt > maxPauseMs) failures = 0;
      const pauseMs = Math.min(maxPauseMs, 50 * 2 ** failures++);
      const options = { signal, background: true };
      await sleep(runtime, pauseMs * (1 - runtime.random() / 2), options).catch(() => {});
    }
  }

  async #fillGroups(signal: AbortSignal): Promise<void> {
    const { runtime } = this.#parts.connection;
    while (true) {
      for (const group of await groupsOf(this.#parts, signal)) await this.#fill(group, signal);
      await sleep(runtime, groupsMs, { signal, background: true });
    }
  }

  /** Never rejects: the next look mends it. */
  async #fill(group: string, signal: AbortSignal): Promise<void> {
    await fillGroup(this.#parts, group, this.#options.groupConcurrency, signal).catch(() => {});
  }
}

const oneOfUs = demand(noOlderTicket);
