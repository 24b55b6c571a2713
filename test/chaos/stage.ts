import { setTimeout as delay } from 'node:timers/promises';
import type { Facts, Json, Violation } from '../history/record.js';
import { Random } from '../../src/testing/random.js';
import { type Evidence, nemesis, type Workload } from '../workload/workload.js';
import { Archive, evidenceOf, type Struck } from './archive.js';
import type { Aim, ClientOptions } from './client/orders.js';
import { PaperFile } from './client/paper.js';
import { workloadNamed } from './loads.js';
import type { Scene } from './nemesis/nemesis.js';
import { Player } from './player.js';
import { Recorder } from './recorder.js';
import type { Ending } from './rig/launched.js';
import { type Tier, Rig } from './rig/rig.js';

export interface StageOptions {
  /** The name of a workload. */
  readonly workload: string;
  readonly tier: Tier;
  /** How many processes. @default 3 */
  readonly clients?: number;
  /** Clients in each of them, each with a connection of its own. @default 1 */
  readonly desks?: number;
  /** Of all sessions. @default 3000 */
  readonly ttlMs?: number;
  readonly seed: number;
  /** Further flags of etcd. */
  readonly flags?: readonly string[];
  /** Disks are written as in production. @default false */
  readonly fsync?: boolean;
  readonly members?: 1 | 3;
  /** What the command of each member begins with: see `MemberClocks`. */
  readonly enter?: readonly (readonly string[])[];
  /** How fast the clock of the client at each place goes. @default 1 */
  readonly clockRates?: readonly number[];
  /** Aims of each process, from its start on. */
  readonly aims?: readonly Aim[];
}

export const namespace = 'conclave';
/** Far more than anything takes: it only keeps a run from hanging. */
const hangMs = 60_000;

/** A real cluster, client processes that play a workload on it, and somebody who writes down what happens in the store. */
export class Stage implements Scene, AsyncDisposable {
  readonly rig: Rig;
  readonly recorder: Recorder;
  readonly archive: Archive;
  readonly workload: Workload;
  readonly ttlMs: number;
  readonly #options: StageOptions;
  readonly #random: Random;
  readonly #paper: PaperFile;
  /** All there ever were. */
  readonly #players: Player[] = [];
  readonly #crashes: Violation[] = [];
  #isEnding = false;
  #isConcluded = false;
  readonly #onExit = (): void => this.#keepUnlessConcluded();

  private constructor(options: StageOptions, workload: Workload, rig: Rig) {
    this.#options = options;
    this.#random = new Random(options.seed).split(1);
    this.workload = workload;
    this.ttlMs = options.ttlMs ?? 3_000;
    this.rig = rig;
    this.recorder = new Recorder(rig.endpoints);
    this.archive = Archive.create();
    this.#paper = new PaperFile(this.archive.historyOf(nemesis));
    process.once('exit', this.#onExit);
  }

  /** Resolves when all clients play. */
  static async start(options: StageOptions): Promise<Stage> {
    const workload = await workloadNamed(options.workload);
    const { tier, clients = 3, flags = [], fsync = false, members = 3, enter = [], seed } = options;
    const rig = await Rig.start({ tier, clients, flags, fsync, members, enter, seed });
    const stage = new Stage({ ...options, clients }, workload, rig);
    try {
      for (let place = 0; place < clients; place++) await stage.revive(place);
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Puts a client at a place whose client has ended, if it has. */
  async revive(place: number): Promise<void> {
    if (this.rig.client(place)) return;
    const { workload, desks = 1, aims = [], clockRates = [] } = this.#options;
    const generation = this.#players.filter((each) => each.place === place).length;
    const name = `c${place}.${generation}`;
    const options: ClientOptions = {
      name,
      workload,
      desks,
      endpoints: this.rig.endpointsFor(place),
      namespace,
      ttlMs: this.ttlMs,
      dialTimeoutMs: 5_000,
      seed: this.#random.split(100 * place + generation).uint32(),
      history: this.archive.historyOf(name),
      aims,
      clockRate: clockRates[place] ?? 1,
    };
    const player = await Player.start(this.rig, place, options);
    this.#players.push(player);
    void player.launched.ended.then((end) => this.#bury(player, end));
  }

  /** The latest at a place. */
  player(place: number): Player {
    const player = this.#players.findLast((each) => each.place === place);
    if (!player) throw new RangeError(`nobody was ever at place ${place}`);
    return player;
  }

  /** The latest at each place. */
  get players(): readonly Player[] {
    return Array.from({ length: this.rig.clients }, (_, place) => this.player(place));
  }

  /** The place of whoever holds what was granted last. */
  holder(): number | undefined {
    const oldest = new Map<string, { readonly place: number; readonly createRevision: number }>();
    for (const { key, value, createRevision } of this.recorder.standing) {
      const [, line] = /^(.*\/)[0-9a-f]+-\d+$/.exec(key) ?? [];
      const place = placeOf(value);
      if (line === undefined || place === undefined) continue;
      const before = oldest.get(line);
      if (!before || before.createRevision > createRevision) oldest.set(line, { place, createRevision });
    }
    return [...oldest.values()].sort((a, b) => b.createRevision - a.createRevision)[0]?.place;
  }

  /** Undoes every fault, and fills every place. Then all make headway: whoever does not is a violation. */
  async settle(): Promise<{ readonly violations: Violation[]; readonly tookMs: number }> {
    const { rig } = this;
    await rig.heal();
    for (const place of this.players.keys()) {
      rig.client(place)?.cont();
      await this.revive(place);
    }
    await rig.cluster.healthy();
    this.tell('healed');
    const healedAt = performance.now();
    const before = this.players.map(({ rounds }) => rounds);
    const late = (): Player[] => this.players.filter(({ rounds }, i) => rounds <= (before[i] ?? 0));
    while (late().length > 0 && performance.now() < healedAt + hangMs) await delay(20);
    const violations = late().map(({ name, errors }) => ({
      rule: 'liveness',
      what: `${name} has not ended a round within ${hangMs} ms of the last fault. ${errors}`,
    }));
    return { violations, tookMs: performance.now() - healedAt };
  }

  /** Writes down what was done to the run. */
  tell(what: string, facts: Facts = {}): void {
    this.#paper.write({ kind: 'note', at: this.#paper.now(), client: nemesis, what, on: '', facts });
  }

  /** All clients end by themselves, and leave nothing that their sessions had kept. */
  async end(): Promise<Violation[]> {
    const { players } = this;
    this.#isEnding = true;
    const rests = await Promise.all(players.map((player) => player.rest(hangMs)));
    const finish = await this.player(0).finish(2 * hangMs);
    const ends = await Promise.all(players.map((player) => player.end(hangMs)));
    const wrong = [...rests, finish, ...ends].filter((what) => what !== undefined);
    const members = this.rig.cluster.crashes.map((what) => ({ rule: 'member', what }));
    return [
      ...this.#crashes,
      ...members,
      ...wrong.map((what) => ({ rule: 'end', what })),
      ...(await this.#leftovers()),
    ];
  }

  /** All that there is by now. */
  async evidence(): Promise<Evidence> {
    await this.recorder.catchUp();
    const { changes } = this.recorder;
    return evidenceOf(this.archive.entries(), changes, { namespace, ttlMs: this.ttlMs });
  }

  /**
   * Keeps what the run has left if something was wrong, and says where; else removes it.
   *
   * @returns the directory if it was kept
   */
  conclude(
    { changes }: Evidence,
    violations: readonly Violation[],
    { schedule = [], keep = false }: { readonly schedule?: readonly Struck[]; readonly keep?: boolean } = {},
  ): string | undefined {
    this.#isConcluded = true;
    if (violations.length > 0 || keep) return this.#keep(changes, violations, schedule);
    this.archive.remove();
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    try {
      this.#keepUnlessConcluded();
    } finally {
      await this.recorder[Symbol.asyncDispose]();
      await this.rig[Symbol.asyncDispose]();
    }
  }

  /** What there is of a run that has thrown, or hung. */
  #keepUnlessConcluded(): void {
    if (this.#isConcluded) return;
    this.#keep(this.recorder.changes, [{ rule: 'end', what: 'the run did not come to an end' }], []);
  }

  #keep(changes: Evidence['changes'], violations: readonly Violation[], schedule: readonly Struck[]): string {
    const { archive, ttlMs } = this;
    const options = this.#options as unknown as Json;
    const facts = { workload: this.workload.name, namespace, ttlMs, options, schedule };
    archive.write(facts, changes, violations, this.rig.cluster.log);
    console.log(`kept: ${archive.directory}`);
    return archive.directory;
  }

  /** Whoever was killed is written down; nobody else ends before he is told to. */
  #bury({ name, errors }: Player, { code, signal }: Ending): void {
    if (this.#isEnding) return;
    if (signal === 'SIGKILL') this.tell('died', { process: name });
    else if (code !== 0)
      this.#crashes.push({
        rule: 'crash',
        what: `${name} has ended with ${String(signal ?? code)}: ${errors}`,
      });
  }

  async #leftovers(): Promise<Violation[]> {
    const limitMs = 2 * this.ttlMs + 5_000;
    const left = (): string[] =>
      this.recorder.standing.filter((each) => isOfSession(each.key, each.lease)).map(({ key }) => key);
    await this.recorder.catchUp();
    for (const end = performance.now() + limitMs; left().length > 0 && performance.now() < end;)
      await delay(50);
    return left().map((key) => ({ rule: 'I8', what: `${key} is left ${limitMs} ms after the end` }));
  }
}

/** Whether it ends with a session: results and the like have leases of their own. */
function isOfSession(key: string, lease: string): boolean {
  return key.startsWith(`${namespace}/`) && lease !== '0' && !/\/queue\/[^/]+\/(result|id)\//.test(key);
}

/** Of the client that put a ticket. */
function placeOf(ticket: string): number | undefined {
  const [, place] = /"holder":\{"name":"c(\d+)\./.exec(ticket) ?? [];
  return place === undefined ? undefined : Number(place);
}
