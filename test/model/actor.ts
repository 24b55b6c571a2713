import { Conclave } from '../../src/conclave.js';
import type { Peer, World } from '../../src/testing/index.js';

const settings = [
  { sessionTtlMs: 2_000, clockRate: 1 },
  { sessionTtlMs: 3_000, clockRate: 1.05 },
  { sessionTtlMs: 5_000, clockRate: 0.95 },
  { sessionTtlMs: 3_000, clockRate: 1 },
] as const;

export const actorCount: number = settings.length;

/** One process with a Conclave. */
export class Actor {
  readonly peer: Peer;
  readonly conclave: Conclave;
  /** `leaving`: it has been told to close. */
  state: 'living' | 'leaving' | 'crashed' = 'living';
  /** How often it has been stopped. */
  stops = 0;
  /** How often a wait of it has ended without a grant: what it leaves is settled in the background. */
  givenUp = 0;
  closed: Promise<void> | undefined;

  /** @param place which of the actors of a run it is, or takes the place of */
  constructor(world: World, place: number) {
    const { sessionTtlMs, clockRate } = settings[place] ?? settings[0];
    this.peer = world.peer({ clockRate });
    const { name, runtime, transport } = this.peer;
    this.conclave = Conclave.over(transport, {
      runtime,
      sessionTtlMs,
      dialTimeoutMs: 2_000,
      holder: name,
      process: { host: name, pid: 1 },
    });
  }

  get name(): string {
    return this.peer.name;
  }

  /** Its program can do something. */
  get isRunning(): boolean {
    return this.state === 'living' && this.peer.activity === 'running';
  }

  close(): Promise<void> {
    this.state = 'leaving';
    this.closed ??= this.conclave.close();
    return this.closed;
  }
}
