import { Conclave } from '../../../src/conclave.js';
import type { Peer, World } from '../../../src/testing/index.js';
import type { Dice } from './dice.js';

/** One process with a Conclave; its tasks sleep by its own clock, and stand still with it. */
export class FuzzClient {
  readonly peer: Peer;
  readonly conclave: Conclave;
  /** `leaving`: it has been told to close. */
  state: 'living' | 'leaving' | 'crashed' = 'living';
  /** Or else its wall clock may be set back. Both together can hide a sleep from it, as the docs say. */
  readonly maySleep: boolean;
  readonly #onServed: (() => void)[] = [];
  #closed: Promise<void> | undefined;

  constructor(world: World, dice: Dice) {
    this.maySleep = dice.oneIn(2);
    this.peer = world.peer({ clockRate: dice.pick([0.95, 1, 1.05]) });
    const { name, runtime, transport } = this.peer;
    this.conclave = Conclave.over(transport, {
      runtime,
      sessionTtlMs: dice.pick([2_000, 3_000, 5_000]),
      dialTimeoutMs: dice.pick([1_000, 5_000]),
      holder: name,
      process: { host: name, pid: 1 },
    });
  }

  get name(): string {
    return this.peer.name;
  }

  /** Never, once it has crashed. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.peer.runtime.setTimer(ms, resolve));
  }

  /** Told of every grant. */
  served(): void {
    for (const resolve of this.#onServed.splice(0)) resolve();
  }

  /** The next grant. */
  untilServed(): Promise<void> {
    return new Promise((resolve) => this.#onServed.push(resolve));
  }

  close(drainTimeoutMs = 10_000): Promise<void> {
    this.state = 'leaving';
    this.#closed ??= this.conclave.close({ drainTimeoutMs });
    return this.#closed;
  }
}
