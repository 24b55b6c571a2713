import type { Hold } from '../../../src/index.js';
import type { FuzzClient } from './client.js';

export interface HoldWatchOptions {
  readonly now: () => number;
  readonly report: (violation: string) => void;
  /** Two were held at once, as after an early revoke nobody can prevent. */
  readonly onExcused?: () => void;
}

interface Claim {
  readonly client: FuzzClient;
  readonly hold: Pick<Hold, 'key' | 'fencingToken' | 'isHeld'>;
}

/** The two promises of a mutex that its users see: one holds at a time, and every later one has a larger token. */
export class HoldWatch {
  readonly #options: HoldWatchOptions;
  readonly #claims = new Set<Claim>();
  readonly #revoked = new Set<string>();
  #latest = 0n;

  constructor(options: HoldWatchOptions) {
    this.#options = options;
  }

  /** @returns what to call when the work under it is over, before it is released */
  granted(client: FuzzClient, hold: Claim['hold']): () => void {
    const claim = { client, hold };
    this.#claims.add(claim);
    if (hold.isHeld() && !this.#isExcused(claim)) this.#checkToken(hold);
    this.look();
    return () => void this.#claims.delete(claim);
  }

  /** At most one may be held now, those of stopped processes included: they could run on at any moment. */
  look(): void {
    const held = [...this.#claims].filter(({ client, hold }) => client.state !== 'crashed' && hold.isHeld());
    const strict = held.filter((claim) => !this.#isExcused(claim));
    if (held.length > 1 && strict.length <= 1) this.#options.onExcused?.();
    if (strict.length <= 1) return;
    const who = strict.map(({ client, hold }) => `${client.name} (${hold.key})`).join(' and ');
    this.#options.report(`at ${this.#options.now()} ms two hold: ${who}`);
  }

  /** The store ends these leases before their time: what hangs on them is believed in for too long. */
  revoked(leases: Iterable<bigint>): void {
    for (const lease of leases) this.#revoked.add(lease.toString(16));
  }

  #checkToken({ key, fencingToken }: Claim['hold']): void {
    if (fencingToken <= this.#latest)
      this.#options.report(
        `at ${this.#options.now()} ms ${key} was granted with token ${fencingToken} after ${this.#latest}`,
      );
    else this.#latest = fencingToken;
  }

  #isExcused({ hold }: Claim): boolean {
    const ticket = hold.key.slice(hold.key.lastIndexOf('/') + 1);
    return this.#revoked.has(ticket.split('-')[0] ?? '');
  }
}
