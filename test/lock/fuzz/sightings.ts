import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { DiagnosticEvents } from '../../../src/base/diagnostics.js';
import { probes } from '../../../src/base/probes.js';
import { SessionLostError } from '../../../src/index.js';
import type { World } from '../../../src/testing/index.js';

/** What a fuzz has to come across, or it tests less than it seems to. */
export const interesting = [
  // probe points
  'take.found',
  'take.dead',
  'ticket.waiting',
  'ticket.requeued',
  'line.compacted',
  'line.filled',
  'session.recovered',
  // diagnostics
  'a hold was lost: expired',
  'a hold was lost: stalled',
  'a hold was lost: revoked',
  'a session was lost: closed',
  'retried: keep-alive stream silent',
  'retried: watch stream silent',
  'retried: old raft term',
  'the event loop lagged',
  // seen by the workload
  'two held after an early revoke',
  'a wait was cancelled',
  'a write was done',
  'a write was refused',
  'a write was lost',
  'ended with WAIT_TIMEOUT',
  'ended with HOLD_LOST',
  'ended with SESSION_LOST',
  'ended with UNAVAILABLE',
  'ended with RESOURCE_EXHAUSTED',
  'ended with CLOSED',
  'a client was closed',
  'a client crashed',
] as const;

/** How often each state was reached, over all runs of a test. */
export class Sightings implements Disposable {
  readonly #wanted: readonly string[];
  readonly #counts = new Map<string, number>();
  readonly #subscriptions: (readonly [string, ChannelListener])[] = [];

  /** @param wanted what has to be come across; also names of probe points */
  constructor(wanted: readonly string[] = interesting) {
    this.#wanted = wanted;
    this.#on('conclave:lost', ({ error }) =>
      this.add(
        `a hold was lost: ${error instanceof SessionLostError ? error.reason : 'its ticket was gone'}`,
      ),
    );
    this.#on('conclave:session-lost', ({ reason }) => this.add(`a session was lost: ${reason}`));
    this.#on('conclave:event-loop-lag', () => this.add('the event loop lagged'));
    this.#on('conclave:retry', ({ error }) => {
      const text = String(error).match(/keep-alive stream silent|watch stream silent|old raft term/)?.[0];
      if (text !== undefined) this.add(`retried: ${text}`);
    });
  }

  /** Counts the probe points passed in a world, too. */
  follow(world: World): void {
    for (const name of probes) if (this.#wanted.includes(name)) world.onProbe(name, () => this.add(name));
  }

  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Everything counted, most frequent first. */
  get counts(): readonly (readonly [name: string, count: number])[] {
    return [...this.#counts].sort(([, a], [, b]) => b - a);
  }

  get missing(): readonly string[] {
    return this.#wanted.filter((name) => !this.#counts.has(name));
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#subscriptions.splice(0)) unsubscribe(name, listener);
  }

  #on<Name extends keyof DiagnosticEvents>(name: Name, see: (event: DiagnosticEvents[Name]) => void): void {
    const listener: ChannelListener = (message) => see(message as DiagnosticEvents[Name]);
    subscribe(name, listener);
    this.#subscriptions.push([name, listener]);
  }
}
