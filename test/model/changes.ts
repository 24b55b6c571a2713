import { Leadership } from '../../src/election/leadership.js';
import type { Hold } from '../../src/index.js';
import { ReadHold, WriteHold } from '../../src/lock/rw-lock.js';
import type { Change } from './kinds.js';
import type { Player } from './player.js';
import { chosen } from './steps.js';
import type { Held } from './writes.js';

const transferTimeoutMs = 2_000;

/** What programs do with their holds besides writing under them and giving them back. */
export class Changes {
  readonly #player: Player;
  readonly #proclaimed = new Map<Hold, number>();

  constructor(player: Player) {
    this.#player = player;
  }

  start(held: Held, how: Change, which: number): void {
    const { hold } = held;
    if (how === 'downgrade' && hold instanceof WriteHold) this.#downgrade(held, hold);
    else if (how === 'upgrade' && hold instanceof ReadHold) this.#upgrade(held, hold);
    else if (how === 'proclaim' && hold instanceof Leadership) this.#proclaim(held, hold);
    else if (how === 'transfer' && hold instanceof Leadership) this.#transfer(held, hold, which);
  }

  #downgrade(held: Held, hold: WriteHold): void {
    const { actor, want } = held;
    this.#player.forget(held); // it ends with the call
    this.#player.operations.start(
      { doing: 'downgrade', actor, want },
      () => hold.downgrade(),
      (reading) => this.#player.granted(actor, { ...want, mode: 'read' }, reading),
      // Given back already, or not downgraded at all: while the session is suspect.
      () => this.#player.release(held),
    );
    if (hold.isHeld())
      this.#player.report(`${hold.key} is being downgraded, and its writer believes to hold it`);
  }

  #upgrade(held: Held, hold: ReadHold): void {
    const { actor, want } = held;
    if (held.isChanging) return;
    held.isChanging = true;
    const over = (): void => void (held.isChanging = false);
    this.#player.operations.start(
      { ...this.#player.under(held), doing: 'upgrade' },
      () => hold.tryUpgrade(),
      (writing) => {
        over();
        if (!writing) return;
        this.#player.forget(held);
        this.#player.granted(actor, { ...want, mode: 'write' }, writing, { atOnce: true });
      },
      over,
    );
  }

  #proclaim(held: Held, hold: Leadership): void {
    const number = (this.#proclaimed.get(hold) ?? 0) + 1;
    this.#proclaimed.set(hold, number);
    this.#player.operations.start(
      { ...this.#player.under(held), doing: 'proclaim' },
      () => hold.proclaim(String(number)),
      () => {
        const stored = Number(this.#player.judge.fateOf(hold.key, hold.fencingToken)?.ticket.value);
        if (stored < number)
          this.#player.report(`${hold.key}: "${number}" was proclaimed, "${stored}" is stored`);
      },
    );
  }

  #transfer(held: Held, hold: Leadership, which: number): void {
    const others = this.#player.judge.standing.filter(
      ({ key, line }) => line === held.want.names[0] && key !== hold.key,
    );
    const to = chosen(others, which);
    if (!to) return;
    this.#player.operations.start(
      { ...this.#player.under(held), doing: 'transfer', timeoutMs: transferTimeoutMs },
      (signal) => hold.transferTo(to.key, { timeoutMs: transferTimeoutMs, signal }),
      () => this.#player.forget(held),
    );
  }
}
