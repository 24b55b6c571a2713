import type { TransportError } from '../store/transport.js';
import { type Obstacle, Path } from './path.js';
import type { VirtualClock } from './virtual-clock.js';

/** Which of the two directions of a connection. */
export type Direction = 'requests' | 'replies' | 'both';

/** The client's side of a call or stream under way. */
export interface Interruptible {
  /** It is over, as the client's own end of the connection says. */
  interrupt(error: TransportError): void;
  /** The client's process is gone: the kernel closes its sockets. */
  sever(): void;
}

/** How far a member is behind the others. */
export interface Lag {
  readonly ms: number;
  /** It answers linearizable reads from what it has, too. */
  readonly readsStale: boolean;
}

/** The connection between one client and one member, with what is under way on it. */
export class Route {
  readonly endpoint: string;
  readonly toMember: Path;
  readonly toClient: Path;
  /** What watches deliver takes this way first; */
  readonly watchLag: Path;
  /** before it this one, as long as the member lags behind; */
  readonly memberLag: Path;
  /** and answers to renewals this one. */
  readonly renewalLag: Path;
  /** New calls fail at once, and surely were not sent. */
  isRefusing = false;
  /** Renewals are answered in this raft term, which is over, and have no effect. */
  staleTerm: bigint | undefined;
  /** Undefined: the member is up to date. */
  lag: Lag | undefined;
  #lateCopies = 0;
  /** Streams that the member serves. */
  streamsServed = 0;
  readonly #clock: VirtualClock;
  readonly #underWay = new Set<Interruptible>();

  constructor(clock: VirtualClock, endpoint: string) {
    this.#clock = clock;
    this.endpoint = endpoint;
    this.toMember = new Path(clock);
    this.toClient = new Path(clock);
    this.watchLag = new Path(clock);
    this.memberLag = new Path(clock);
    this.memberLag.setDelay(() => this.lag?.ms ?? 0);
    this.renewalLag = new Path(clock);
  }

  /** True if requests and answers get through at the moment. */
  get isOpen(): boolean {
    return !this.isRefusing && !this.toMember.isBlocked && !this.toClient.isBlocked;
  }

  /** True if nothing that was sent is still on its way. */
  get isQuiet(): boolean {
    return this.#paths.every(({ inFlight }) => inFlight === 0) && this.#lateCopies === 0;
  }

  /** What happens at the member after `ms`, whatever becomes of the connection. */
  later(ms: number, happen: () => void): void {
    this.#lateCopies++;
    this.#clock.setTimer(ms, () => {
      this.#lateCopies--;
      happen();
    });
  }

  add(interruptible: Interruptible): void {
    this.#underWay.add(interruptible);
  }

  remove(interruptible: Interruptible): void {
    this.#underWay.delete(interruptible);
  }

  block(obstacle: Obstacle, direction: Direction = 'both'): void {
    if (direction !== 'replies') this.toMember.block(obstacle);
    if (direction !== 'requests') this.toClient.block(obstacle);
  }

  unblock(obstacle: Obstacle): void {
    this.toMember.unblock(obstacle);
    this.toClient.unblock(obstacle);
  }

  /** Ends all calls and streams, as the client sees it. What they have sent may still arrive. */
  interruptAll(error: TransportError): void {
    for (const each of [...this.#underWay]) each.interrupt(error);
  }

  /** For ever: nothing is sent or received any more, and nobody on this side is told. */
  crash(): void {
    for (const path of this.#paths) path.close();
    for (const each of [...this.#underWay]) each.sever();
  }

  get #paths(): readonly Path[] {
    return [this.toMember, this.memberLag, this.watchLag, this.renewalLag, this.toClient];
  }
}
