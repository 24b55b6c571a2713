import { setTimeout as delay } from 'node:timers/promises';
import { Conclave, type Hold, isConclaveError } from '../../../src/index.js';
import type { Runtime } from '../../../src/base/runtime.js';
import { EtcdTransport } from '../../../src/etcd/transport.js';
import { Random } from '../../../src/testing/random.js';
import { type Paper, Scribe } from '../../workload/scribe.js';
import type { Workload } from '../../workload/workload.js';
import type { RealDesk } from '../loads.js';
import type { ClientOptions } from './orders.js';

export interface SeatParts {
  readonly options: ClientOptions;
  readonly index: number;
  readonly workload: Workload;
  readonly paper: Paper;
  readonly stopping: AbortSignal;
  readonly runtime: Runtime;
  readonly probe: (name: string) => void;
  /** Called at the good end of a round. */
  readonly onRound: () => void;
}

/** One client: a connection of its own, and the rounds that it plays. */
export class Seat {
  readonly #parts: SeatParts;
  readonly #scribe: Scribe;
  readonly #random: Random;
  readonly #conclave: Conclave;
  /** What was granted, and not known to be over when last looked at. */
  #claims: { readonly on: string; readonly hold: Hold }[] = [];

  constructor(parts: SeatParts) {
    const { options, index, paper, runtime } = parts;
    const name = options.desks === 1 ? options.name : `${options.name}/${index}`;
    const { endpoints, namespace, dialTimeoutMs } = options;
    this.#parts = parts;
    this.#scribe = new Scribe(name, paper);
    this.#random = new Random(options.seed).split(index);
    // Not `connect`, which gives up: a client may be started while nobody answers.
    const transport = new EtcdTransport({ endpoints, runtime, dialTimeoutMs });
    this.#conclave = Conclave.over(transport, {
      runtime,
      namespace,
      dialTimeoutMs,
      sessionTtlMs: options.ttlMs,
      holder: name,
      keepsAlive: true,
    });
  }

  /** Round after round, until it is to stop. */
  async play(): Promise<void> {
    const { workload, stopping, onRound } = this.#parts;
    const desk = this.#desk(stopping);
    while (!stopping.aborted) {
      try {
        await workload.turn(desk);
        onRound();
      } catch (error) {
        if (!isConclaveError(error) && error !== stopping.reason)
          this.#scribe.note('error', '', { stack: describe(error) });
      }
      await desk.pause(this.#random.between(0, 300));
    }
  }

  /** What remains to be done by one of all when they have ended. */
  async finish(): Promise<void> {
    const { signal } = new AbortController();
    await this.#parts.workload.finish?.(this.#desk(signal));
  }

  close(): Promise<void> {
    return this.#conclave.close();
  }

  /** The very first thing after the process stood still: does it know what it has lost? */
  look(stoodStillMs: number): void {
    for (const { on, hold } of this.#claims) {
      const wasTold = hold.signal.aborted;
      const isHeld = hold.isHeld();
      const token = Number(hold.fencingToken);
      this.#scribe.note('first look', on, { key: hold.key, token, isHeld, wasTold, stoodStillMs });
    }
  }

  #claim<H extends Hold>(on: string, hold: H): H {
    this.#claims = this.#claims.filter((each) => each.hold.isHeld());
    this.#claims.push({ on, hold });
    return this.#scribe.claim(on, hold);
  }

  #desk(signal: AbortSignal): RealDesk {
    const { probe } = this.#parts;
    const scribe = this.#scribe;
    return {
      name: scribe.name,
      conclave: this.#conclave,
      random: this.#random,
      signal,
      pause: (ms) => delay(ms, undefined, { signal }).catch(() => {}),
      call: (...args) => scribe.call(...args),
      note: (...args) => scribe.note(...args),
      claim: (on, hold) => this.#claim(on, hold),
      probe,
    };
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
