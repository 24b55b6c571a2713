import type { Cluster, ClusterOptions } from '../../rig/cluster.js';
import { freeze, limitCpu } from './cgroup.js';
import { statusByGateway } from './gateway.js';
import { disposeAll, type Ground, inNamespaces, onLoopback } from './ground.js';
import { type LaunchOptions, Launched } from './launched.js';
import type { Links, Undo } from './links.js';
import { SlowDisk } from './slow-disk.js';
import { lacks, type Tool } from './tools.js';

/**
 * - `loopback`: no root; a proxy stands between each client and each member, members reach each other unhindered
 * - `netns`: each member and each client has a network namespace, and every link between two of them can be disturbed
 */
export type Tier = 'loopback' | 'netns';

/** What a fault needs: of the machine, or of the rig. */
export type Need = Tool | 'loopback' | 'fsync' | 'three members';

export interface RigOptions {
  readonly tier: Tier;
  /** @default 3 */
  readonly members?: 1 | 3;
  /** How many places there are for client processes. @default 3 */
  readonly clients?: number;
  /** Further flags of etcd. */
  readonly flags?: readonly string[];
  /** Disks are written as in production; faults of disks need it. @default false */
  readonly fsync?: boolean;
  /** What the command of each member begins with, on the loopback tier: see `MemberClocks`. */
  readonly enter?: readonly (readonly string[])[];
  /** @default the installed one */
  readonly version?: NonNullable<ClusterOptions['version']>;
  /** Of the chance with which packets are late or come twice. @default 1 */
  readonly seed?: number;
}

/**
 * A real cluster and places for client processes, on either tier. Members and places are numbered from 0. When it is
 * disposed of, nothing is left: no process, namespace, cgroup or file.
 */
export class Rig implements AsyncDisposable {
  readonly tier: Tier;
  /** How many. */
  readonly members: number;
  /** How many places. */
  readonly clients: number;
  /** To kill, stop and restart members; no fault of the network concerns what it does. */
  readonly cluster: Cluster;
  readonly links: Links;
  readonly #hasFsync: boolean;
  readonly #ground: Ground;
  readonly #ids: readonly string[];
  readonly #launched = new Map<number, Launched>();
  readonly #undone = new Set<Undo>();

  private constructor(options: RigOptions, ground: Ground, ids: readonly string[]) {
    this.tier = options.tier;
    this.cluster = ground.cluster;
    this.links = ground.links;
    this.members = ground.cluster.endpoints.length;
    this.clients = options.clients ?? 3;
    this.#hasFsync = options.fsync ?? false;
    this.#ground = ground;
    this.#ids = ids;
  }

  /** Resolves when every member serves. */
  static async start(options: RigOptions): Promise<Rig> {
    const {
      tier,
      members = 3,
      clients = 3,
      seed = 1,
      version = 'installed',
      fsync = false,
      flags = [],
      enter = [],
    } = options;
    const prepare = tier === 'netns' ? inNamespaces : onLoopback;
    const ground = await prepare({
      members,
      clients,
      seed,
      cluster: { members, version, fsync, flags, enter },
    });
    try {
      const statuses = await Promise.all(
        ground.cluster.endpoints.map((endpoint) => statusByGateway(endpoint, 10_000)),
      );
      return new Rig(
        options,
        ground,
        statuses.map(({ id }) => id),
      );
    } catch (error) {
      await ground[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Why such a rig cannot be started on this machine: a reason to skip. */
  static lacks(tier: Tier): string | undefined {
    return tier === 'netns' ? lacks('netns') : undefined;
  }

  /** Where this process finds the members, whatever happens to the network. */
  get endpoints(): readonly string[] {
    return this.cluster.endpoints;
  }

  /** Where the program at a place finds the members. */
  endpointsFor(client: number): readonly string[] {
    return this.#ground.endpointsFor(client);
  }

  /** Why this rig cannot do it, or undefined. */
  lacks(need: Need): string | undefined {
    switch (need) {
      case 'loopback':
        return this.tier === 'loopback' ? undefined : 'needs the loopback tier';
      case 'netns':
        return this.tier === 'netns' ? undefined : 'needs the netns tier';
      case 'fsync':
        return this.#hasFsync ? undefined : 'needs members with fsync';
      case 'three members':
        return this.members === 3 ? undefined : 'needs three members';
      case 'strace':
      case 'gcc':
      case 'freezer':
      case 'cpu quota':
        return lacks(need);
    }
  }

  /** Starts a Node program at a place, in the place of the one before, which must have ended. */
  async launch(
    client: number,
    program: string,
    args: readonly string[] = [],
    options: LaunchOptions = {},
  ): Promise<Launched> {
    if (client >= this.clients) throw new RangeError(`there is no place ${client}`);
    if (this.client(client)) throw new Error(`there is a client at place ${client}`);
    const launched = await Launched.start(this.#ground.enter(client), program, args, options);
    this.#launched.set(client, launched);
    return launched;
  }

  /** The process at a place, unless it has ended. */
  client(client: number): Launched | undefined {
    const launched = this.#launched.get(client);
    return launched?.isRunning === true ? launched : undefined;
  }

  /**
   * The member that leads, as the answering member of the highest term says: others may take themselves for it.
   *
   * @returns nothing if nobody who answers within half a second knows one
   */
  async leader(): Promise<number | undefined> {
    const asked = await Promise.allSettled(this.endpoints.map((each) => statusByGateway(each)));
    const known = asked
      .flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
      .filter(({ leader }) => leader !== '0')
      .sort((a, b) => b.term - a.term);
    const index = this.#ids.indexOf(known[0]?.leader ?? '');
    return index < 0 ? undefined : index;
  }

  /** The highest one that a member knows: each election begins another. 0 if nobody answers within half a second. */
  async term(): Promise<number> {
    const asked = await Promise.allSettled(this.endpoints.map((each) => statusByGateway(each)));
    return Math.max(0, ...asked.map((each) => (each.status === 'fulfilled' ? each.value.term : 0)));
  }

  async freezeMember(member: number): Promise<Undo> {
    return this.#owe(await freeze(this.#pidOf(member)));
  }

  async freezeClient(client: number): Promise<Undo> {
    const launched = this.client(client);
    if (!launched) throw new Error(`there is no client at place ${client}`);
    return this.#owe(await freeze(launched.pid));
  }

  /** @param percent of one core */
  async limitCpu(member: number, percent: number): Promise<Undo> {
    return this.#owe(await limitCpu(this.#pidOf(member), percent));
  }

  /** Every write to the disk of a member takes so much longer. */
  async slowDisk(member: number, delayMs: number): Promise<Undo> {
    const disk = await SlowDisk.slow(this.#pidOf(member), delayMs);
    return this.#owe(() => disk[Symbol.asyncDispose]());
  }

  /** The next write to the log of a member takes so much longer; it is `over` by itself, or when it is disposed of. */
  async stallDisk(member: number, delayMs: number): Promise<SlowDisk> {
    const disk = await SlowDisk.stall(this.#pidOf(member), delayMs, this.cluster.directory(member));
    this.#owe(() => disk[Symbol.asyncDispose]());
    return disk;
  }

  /** Undoes what was begun here, in reverse; faults of the network, too. Members that were killed stay so. */
  async heal(): Promise<void> {
    const undone = [...this.#undone].reverse();
    await disposeAll([
      ...undone.map((undo) => ({ [Symbol.asyncDispose]: undo })),
      { [Symbol.asyncDispose]: () => this.links.heal() },
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll([
      { [Symbol.asyncDispose]: () => this.heal() },
      ...this.#launched.values(),
      this.#ground,
    ]);
  }

  #pidOf(member: number): number {
    const pid = this.cluster.pid(member);
    if (pid === undefined) throw new Error(`the member ${member} does not run`);
    return pid;
  }

  #owe(undo: Undo): Undo {
    const once: Undo = async () => {
      if (this.#undone.delete(once)) await undo();
    };
    this.#undone.add(once);
    return once;
  }
}
