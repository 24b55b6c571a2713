import type { Runtime } from '../base/runtime.js';

/** How long an endpoint that failed is passed over, first time; doubles with each failure in a row. */
const firstPenaltyMs = 500;
const maxPenaltyMs = 10_000;

interface Health {
  readonly endpoint: string;
  failures: number;
  avoidUntil: number;
}

/**
 * Which member to talk to, and the highest raft term any of them has shown.
 *
 * Sticky: everything goes to one endpoint until it fails, so that streams and calls share a connection and see one
 * member's order. Which one comes first is drawn by chance, to spread clients over the members.
 */
export class Endpoints {
  readonly #runtime: Runtime;
  #all: readonly Health[];
  #current: Health;
  #highestTerm = 0n;
  /** Called when a member has answered in a higher raft term than any before: there is a new leader. */
  onNewTerm: () => void = () => {};

  constructor(runtime: Runtime, endpoints: readonly string[]) {
    this.#runtime = runtime;
    this.#all = endpoints.map((endpoint) => ({ endpoint, failures: 0, avoidUntil: 0 }));
    const first = this.#all[Math.floor(runtime.random() * this.#all.length)];
    if (!first) throw new TypeError('at least one endpoint is needed');
    this.#current = first;
  }

  get all(): readonly string[] {
    return this.#all.map(({ endpoint }) => endpoint);
  }

  /** From now on these, and no others; an empty list changes nothing. What is known of those that stay is kept. */
  replace(endpoints: readonly string[]): void {
    const all = endpoints.map(
      (endpoint): Health => this.#find(endpoint) ?? { endpoint, failures: 0, avoidUntil: 0 },
    );
    const next = all[Math.floor(this.#runtime.random() * all.length)];
    if (!next) return;
    this.#all = all;
    if (!all.includes(this.#current)) this.#current = next;
  }

  /** The endpoint to use now. Never refuses: if all have failed, the one whose penalty ends first. */
  pick(): string {
    if (this.#isAvoided(this.#current)) this.#current = this.#best();
    return this.#current.endpoint;
  }

  succeeded(endpoint: string): void {
    const health = this.#find(endpoint);
    if (health) health.failures = health.avoidUntil = 0;
  }

  failed(endpoint: string): void {
    const health = this.#find(endpoint);
    if (!health) return;
    const penaltyMs = Math.min(maxPenaltyMs, firstPenaltyMs * 2 ** health.failures);
    health.failures = Math.min(health.failures + 1, 10);
    health.avoidUntil = this.#runtime.now() + penaltyMs;
  }

  /**
   * Records the raft term of an answer.
   *
   * @returns false if a higher one has been seen: whoever answered has been cut off and speaks from old books. Seen on
   * etcd 3.4.23: a stalled former leader "renewed" leases that the new one let expire.
   */
  sawTerm(term: bigint): boolean {
    const isNew = term > this.#highestTerm;
    const isFirst = this.#highestTerm === 0n;
    if (isNew) this.#highestTerm = term;
    if (isNew && !isFirst) this.onNewTerm();
    return term >= this.#highestTerm;
  }

  #isAvoided(health: Health): boolean {
    return health.avoidUntil > this.#runtime.now();
  }

  #best(): Health {
    return this.#all.reduce((best, next) => (next.avoidUntil < best.avoidUntil ? next : best), this.#current);
  }

  #find(endpoint: string): Health | undefined {
    return this.#all.find((health) => health.endpoint === endpoint);
  }
}
