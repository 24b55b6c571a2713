import { type StoreEvent, toText } from '../../../src/index.js';
import { become, type Becoming } from './becoming.js';
import { Chronicle } from './chronicle.js';
import {
  attemptsIn,
  changed,
  nothing,
  type Place,
  placeOf,
  type Standing,
  type Stored,
  storedIn,
} from './standing.js';

/** How the queue of a run is set up, for all processes. */
export interface Setting {
  readonly groupConcurrency: number;
  readonly maxRunning: number | undefined;
  readonly maxCrashes: number;
  readonly keepMs: number;
}

/** A job from its `enqueue` to its end. */
export interface Life {
  readonly id: string;
  /** What tells it from others of the same id. */
  readonly tag: string;
  readonly putAt: bigint;
  /** When it was first taken. */
  takenAt: bigint | undefined;
  endedAt: bigint | undefined;
  ended: Becoming | undefined;
}

/** A job in the hands of a worker. */
export interface Claim {
  readonly id: string;
  readonly token: bigint;
  /** As the delivery is to tell. */
  readonly attempt: number;
  end: Becoming | undefined;
  to: bigint | undefined;
}

interface End {
  readonly at: number;
  /** It need not be remembered so long: a lease was revoked before its time. */
  isForgiven: boolean;
}

export interface ModelParts {
  readonly prefix: string;
  readonly setting: Setting;
  /** Of the store, milliseconds. */
  readonly now: () => number;
  /** How much sooner than it should something may be forgotten, milliseconds: requests travel. */
  readonly slackMs: number;
  readonly report: (violation: string) => void;
  readonly see: (what: string) => void;
}

/** The queue by its history in the store alone: each revision is judged as it comes. */
export class QueueModel {
  readonly chronicle: Chronicle = new Chronicle();
  readonly lives: Life[] = [];
  readonly claims: Map<bigint, Claim[]> = new Map();
  readonly #parts: ModelParts;
  readonly #keys = new Map<string, Stored>();
  readonly #jobs = new Map<string, Standing>();
  readonly #living = new Map<string, Life>();
  readonly #ends = new Map<string, End>();
  readonly #floors = new Map<string, bigint>();
  readonly #permits = new Set<string>();
  /** The store was full for a while: what ended then need not be remembered. */
  mayForget = false;
  isPaused = false;

  constructor(parts: ModelParts) {
    this.#parts = parts;
    for (const what of ['not paused', 'a permit is free']) this.chronicle.set(what, true, 0n);
  }

  /** Below the prefix of the queue. */
  get keys(): ReadonlyMap<string, Stored> {
    return this.#keys;
  }

  /** Those that have not ended. */
  get open(): readonly Life[] {
    return [...this.#living.values()];
  }

  get dead(): readonly string[] {
    return [...this.#jobs].filter(([, { dead }]) => dead).map(([id]) => id);
  }

  claim(id: string, token: bigint): Claim | undefined {
    return this.claims.get(token)?.find((claim) => claim.id === id);
  }

  /** These leases end before their time, and what hangs on them. */
  revoked(leases: Iterable<bigint>): void {
    const revoked = new Set(leases);
    for (const [id, { result }] of this.#jobs) {
      const end = this.#ends.get(id);
      if (result && revoked.has(result.lease) && end) end.isForgiven = true;
    }
  }

  /** All events of one revision. */
  apply(revision: bigint, events: readonly StoreEvent[]): void {
    const before = new Map<string, Standing>();
    const wasPaused = this.isPaused;
    for (const event of events) {
      const key = toText(event.kv.key).slice(this.#parts.prefix.length);
      const place = placeOf(key);
      const stored = event.type === 'put' ? storedIn(event, key) : undefined;
      const ids = this.#idsOf(place, key, stored);
      if (stored) this.#keys.set(key, stored);
      else this.#keys.delete(key);
      if (ids.length === 0) this.#note(place, key, stored, revision);
      for (const [id, its] of ids) {
        const standing = this.#jobs.get(id) ?? nothing;
        if (!before.has(id)) before.set(id, standing);
        this.#jobs.set(id, changed(standing, place, key, its));
      }
    }
    for (const [id, was] of before) this.#judge(revision, id, was, this.#jobs.get(id) ?? nothing, wasPaused);
    this.#judgeFloors(revision, before.keys());
    this.#count(revision);
  }

  /** The job that a key belongs to, and what stands of it there. A slot may change hands. */
  #idsOf(
    place: Place,
    key: string,
    stored: Stored | undefined,
  ): readonly (readonly [string, Stored | undefined])[] {
    if (place.kind === 'slot') {
      const ids = [this.#keys.get(key), stored].flatMap((each) => (each ? [String(each.value['text'])] : []));
      const owner = stored && String(stored.value['text']);
      return [...new Set(ids)].map((id) => [id, id === owner ? stored : undefined]);
    }
    return 'id' in place ? [[place.id, stored]] : [];
  }

  #note(place: Place, key: string, stored: Stored | undefined, revision: bigint): void {
    if (place.kind === 'paused') {
      this.isPaused = stored !== undefined;
      this.chronicle.set('paused', this.isPaused, revision);
      this.chronicle.set('not paused', !this.isPaused, revision);
    } else if (place.kind === 'permit') {
      if (stored) this.#permits.add(key);
      else this.#permits.delete(key);
    } else if (place.kind === 'floor') {
      const floor = BigInt(`0x${(stored?.value['text'] as string | undefined) ?? '0'}`);
      if (floor < (this.#floors.get(place.lane) ?? 0n))
        this.#parts.report(`revision ${revision}: the floor of ${place.lane} has sunk`);
      this.#floors.set(place.lane, floor);
    }
  }

  #judge(revision: bigint, id: string, before: Standing, after: Standing, wasPaused: boolean): void {
    const { setting, see } = this.#parts;
    const report = (what: string): void => this.#parts.report(`revision ${revision}: job ${id}: ${what}`);
    const { what, wrong } = become(before, after, setting);
    for (const each of wrong) report(each);
    if (what !== 'nothing') see(`job ${what}`);
    const { chronicle } = this;
    if (what !== 'nothing') chronicle.happens(`${what} ${id}`, revision);
    if (what === 'cancelled' && before.waits.length > 0)
      chronicle.happens(`cancelled waiting ${id}`, revision);
    chronicle.set(`alive ${id}`, after.body !== undefined, revision);
    chronicle.set(`known ${id}`, (after.body ?? after.dead ?? after.result) !== undefined, revision);
    chronicle.set(`dead ${id}`, after.dead !== undefined, revision);
    chronicle.set(
      `ready ${id}`,
      after.waits.some(({ kind }) => kind === 'ready'),
      revision,
    );
    if (what === 'claimed' && wasPaused) report('taken while the queue was paused');
    this.#judgeClaims(revision, id, what, before, after);
    this.#judgeLife(revision, id, what, after, report);
    if (what === 'completed' && before.body?.value['isNamed'] && !after.result && !this.mayForget)
      report('its id is forgotten');
    if (before.result && !after.result && what === 'nothing') this.#judgeForgotten(id, report);
  }

  #judgeClaims(revision: bigint, id: string, what: Becoming, before: Standing, after: Standing): void {
    if (what === 'claimed') {
      for (const { create } of after.claims) {
        const { failures, crashes } = attemptsIn(after.active ?? { value: {} });
        const claim: Claim = {
          id,
          token: create,
          attempt: failures + crashes + 1,
          end: undefined,
          to: undefined,
        };
        this.claims.set(create, [...(this.claims.get(create) ?? []), claim]);
      }
    }
    for (const { key, create } of before.claims) {
      const claim = this.claim(id, create);
      if (claim && after.claims.every((each) => each.key !== key)) [claim.end, claim.to] = [what, revision];
    }
  }

  #judgeLife(
    revision: bigint,
    id: string,
    what: Becoming,
    { body }: Standing,
    report: (what: string) => void,
  ): void {
    const living = this.#living.get(id);
    if (body && (what === 'put' || what === 'retried')) {
      const tag = String((body.value['value'] as { tag?: unknown } | undefined)?.tag);
      const life: Life = {
        id,
        tag,
        putAt: revision,
        takenAt: undefined,
        endedAt: undefined,
        ended: undefined,
      };
      const known = this.lives.filter((each) => each.tag === tag);
      if (what === 'put' && known.length > 0) report(`${tag} was put twice`);
      if (what === 'retried' && known.every(({ ended }) => ended !== 'dead'))
        report(`${tag} was put, and not as a retry`);
      this.#living.set(id, life);
      this.lives.push(life);
      return;
    }
    if (!living) return;
    if (what === 'claimed') living.takenAt ??= revision;
    if (body) return;
    living.ended = what;
    living.endedAt = revision;
    this.#living.delete(id);
    this.#ends.set(id, { at: this.#parts.now(), isForgiven: false });
  }

  #judgeForgotten(id: string, report: (what: string) => void): void {
    const end = this.#ends.get(id);
    const { setting, slackMs, now } = this.#parts;
    const keptMs = now() - (end?.at ?? 0);
    if (!end?.isForgiven && keptMs < setting.keepMs - slackMs)
      report(`its end was remembered for ${keptMs} ms only`);
  }

  /** Nothing stands where no search begins. */
  #judgeFloors(revision: bigint, ids: Iterable<string>): void {
    for (const id of ids) {
      for (const { kind, lane, at, key } of this.#jobs.get(id)?.waits ?? [])
        if (kind !== 'delayed' && at <= (this.#floors.get(lane) ?? -1n))
          this.#parts.report(`revision ${revision}: ${key} stands below the floor`);
    }
  }

  #count(revision: bigint): void {
    const { maxRunning = Infinity } = this.#parts.setting;
    const running = [...this.#jobs.values()].filter(({ claims }) => claims.length > 0).length;
    if (running > maxRunning) this.#parts.report(`revision ${revision}: ${running} jobs run`);
    this.chronicle.set('a permit is free', this.#permits.size < maxRunning, revision);
  }
}
