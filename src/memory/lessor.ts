import type { Runtime, Timer } from '../base/runtime.js';
import type { Change } from './key-history.js';
import type { KeyText } from './key-text.js';
import { refusal } from './refusal.js';

/** One and a half election timeouts of a server with default settings; shorter requests get this. */
const minTtlSeconds = 2;
const maxTtlSeconds = 9_000_000_000;
const scanIntervalMs = 500;
const maxRevokesPerScan = 500;

interface Lease {
  readonly id: bigint;
  readonly ttlSeconds: number;
  expiresAt: number;
  readonly keys: Map<KeyText, Uint8Array>;
  /** Renewals that came after the expiry; they wait for the scan to revoke the lease, or for `extend`. */
  late: (() => void)[];
}

/**
 * Grants, renews and expires leases as etcd's leader does: an expired lease lives on until the next scan finds it.
 * The scan's timer runs only while there is a lease.
 */
export class Lessor {
  readonly #runtime: Runtime;
  readonly #deleteKeys: (keys: readonly Uint8Array[]) => void;
  readonly #leases = new Map<bigint, Lease>();
  readonly #leaseOf = new Map<KeyText, Lease>();
  #scanTimer: Timer | undefined;

  /** `deleteKeys` deletes keys of a lease, in the order given, in one revision. */
  constructor(runtime: Runtime, deleteKeys: (keys: readonly Uint8Array[]) => void) {
    this.#runtime = runtime;
    this.#deleteKeys = deleteKeys;
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  /**
   * Returns the TTL granted; with id 0n the lessor chooses one.
   * @throws TransportError if the id is taken or the TTL too large.
   */
  grant(wantedId: bigint, ttlSeconds: number): { id: bigint; ttlSeconds: number } {
    const id = wantedId === 0n ? this.#runtime.id() : wantedId;
    if (ttlSeconds > maxTtlSeconds) throw refusal('leaseTtlTooLarge');
    if (this.has(id)) throw refusal('leaseExists');
    const lease: Lease = {
      id,
      ttlSeconds: Math.max(ttlSeconds, minTtlSeconds),
      expiresAt: 0,
      keys: new Map(),
      late: [],
    };
    this.#refresh(lease);
    this.#leases.set(id, lease);
    this.#scanTimer ??= this.#scanLater();
    return { id, ttlSeconds: lease.ttlSeconds };
  }

  /** @throws TransportError if there is no such lease. */
  revoke(id: bigint): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw refusal('leaseNotFound');
    this.#deleteKeys(sortedKeys(lease));
    this.#leases.delete(id);
    if (this.#leases.size === 0) this.close();
    answerLate(lease);
  }

  /**
   * Gives the lease its full TTL again and answers with it, or with 0 if there is no such lease. A renewal that comes
   * after the expiry but before the scan is answered only after the scan.
   */
  renew(id: bigint, answer: (ttlSeconds: number) => void): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) {
      answer(0);
    } else if (this.#hasExpired(lease)) {
      lease.late.push(() => this.renew(id, answer));
    } else {
      this.#refresh(lease);
      answer(lease.ttlSeconds);
    }
  }

  leftMs(id: bigint): number | undefined {
    const lease = this.#leases.get(id);
    return lease && Math.max(0, lease.expiresAt - this.#runtime.now());
  }

  timeToLive(id: bigint): { ttlSeconds: number; grantedTtlSeconds: number; keys: readonly Uint8Array[] } {
    const lease = this.#leases.get(id);
    if (lease === undefined) return { ttlSeconds: -1, grantedTtlSeconds: 0, keys: [] };
    const leftMs = Math.max(0, lease.expiresAt - this.#runtime.now());
    return {
      ttlSeconds: Math.floor(leftMs / 1000),
      grantedTtlSeconds: lease.ttlSeconds,
      keys: sortedKeys(lease),
    };
  }

  /** All leases, the one that expires first in front. */
  list(): readonly bigint[] {
    return this.#byExpiry().map(({ id }) => id);
  }

  /** Keeps the books of which key hangs on which lease. */
  follow(changes: readonly Change[]): void {
    for (const { key, kv } of changes) {
      this.#leaseOf.get(key)?.keys.delete(key);
      this.#leaseOf.delete(key);
      const lease = this.#leases.get(kv.lease);
      if (lease === undefined) continue;
      lease.keys.set(key, kv.key);
      this.#leaseOf.set(key, lease);
    }
  }

  /** What a new leader does, since it does not know when the old one renewed: every lease starts its TTL again. */
  extendAll(): void {
    for (const lease of this.#leases.values()) {
      this.#refresh(lease);
      answerLate(lease);
    }
  }

  /** Stops the scan. */
  close(): void {
    this.#scanTimer?.cancel();
    this.#scanTimer = undefined;
  }

  #scanLater(): Timer {
    return this.#runtime.setTimer(scanIntervalMs, () => this.#scan(), { background: true });
  }

  #scan(): void {
    // Before the revocations: the last one cancels it.
    this.#scanTimer = this.#scanLater();
    const expired = this.#byExpiry().filter((lease) => this.#hasExpired(lease));
    for (const { id } of expired.slice(0, maxRevokesPerScan)) this.revoke(id);
  }

  #byExpiry(): Lease[] {
    return [...this.#leases.values()].sort((a, b) => a.expiresAt - b.expiresAt);
  }

  #hasExpired(lease: Lease): boolean {
    return lease.expiresAt <= this.#runtime.now();
  }

  #refresh(lease: Lease): void {
    lease.expiresAt = this.#runtime.now() + lease.ttlSeconds * 1000;
  }
}

function answerLate(lease: Lease): void {
  const late = lease.late;
  lease.late = [];
  for (const answer of late) answer();
}

function sortedKeys({ keys }: Lease): readonly Uint8Array[] {
  return [...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => new Uint8Array(key));
}
