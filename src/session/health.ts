import { sessionKey } from '../base/keys.js';
import type { Runtime, Timer } from '../base/runtime.js';
import { checkOptions, checkTimeout } from '../base/wait.js';
import type { Connection } from './connection.js';

export interface HealthOptions {
  /** How long the store may take to answer, milliseconds. @default `dialTimeoutMs` */
  readonly timeoutMs?: number;
}

/** How a Conclave is doing. */
export interface Health {
  /** A linearizable read was answered in time. */
  readonly connected: boolean;
  /** The member that has answered; if none has, the one that was tried first. */
  readonly endpoint: string;
  /** Until the session counts as lost unless it is renewed, milliseconds; undefined if none is open. */
  readonly sessionRemainingMs: number | undefined;
  /** How late, at the worst, a timer of this process fired meanwhile: a blocked event loop. Milliseconds. */
  readonly lagMs: number;
}

export async function healthOf(connection: Connection, options: HealthOptions): Promise<Health> {
  checkOptions(options, ['timeoutMs'], 'health');
  const { store, runtime, namespace, closing } = connection;
  const { timeoutMs = store.timeoutMs } = options;
  checkTimeout(timeoutMs);
  const tried = store.endpoint;
  if (closing.aborted) return { connected: false, endpoint: tried, sessionRemainingMs: undefined, lagMs: 0 };
  const lag = new LagMeter(runtime);
  // A key that never exists: what is asked for is that the members agree on an answer.
  const question = store.get(sessionKey(namespace, 0n), { countOnly: true, timeoutMs });
  const connected = await question.then(
    () => true,
    () => false,
  );
  return {
    connected,
    endpoint: connected ? store.endpoint : tried,
    sessionRemainingMs: connection.openSession?.remainingMs,
    lagMs: lag.end(),
  };
}

const tickMs = 10;

/** Sets one timer after the other, and looks how late each fires. */
class LagMeter {
  readonly #runtime: Runtime;
  #dueAt = 0;
  #timer: Timer;
  #worstMs = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#timer = this.#next();
  }

  /** Milliseconds; the timer that is set counts if it is late already. */
  end(): number {
    this.#timer.cancel();
    this.#look();
    return this.#worstMs;
  }

  #next(): Timer {
    this.#dueAt = this.#runtime.now() + tickMs;
    return this.#runtime.setTimer(
      tickMs,
      () => {
        this.#look();
        this.#timer = this.#next();
      },
      { background: true },
    );
  }

  #look(): void {
    this.#worstMs = Math.max(this.#worstMs, this.#runtime.now() - this.#dueAt);
  }
}
