import { InvalidRequestError, isConclaveError, UnavailableError } from '../base/errors.js';
import { type Runtime, sleep } from '../base/runtime.js';
import { checkOptions, checkTimeout } from '../base/wait.js';
import type { AdminCaller, MemberOptions } from './admin-caller.js';
import type { Alarm, MemberStatus, StoreHash } from './admin-calls.js';
import { checkId } from './admin-checks.js';
import type { CallOptions } from './caller.js';
import type { Endpoints } from './endpoints.js';
import { revisionOption } from './operations.js';
import type { Header } from './results.js';
import { type SavedSnapshot, saveSnapshot, type SnapshotOptions } from './snapshot.js';

export interface HashOptions extends MemberOptions {
  /** Of the store as it was at this revision; 0n means now. Members are compared at the same one. @default 0n */
  readonly revision?: bigint | undefined;
}

/** How long a member may take to say whether it is the leader, while others are asked too. */
const leaderProbeMs = 2_000;
/** Between looks for the leader, after it has changed meanwhile. */
const leaderPauseMs = 100;

/**
 * How the members of an etcd are, and what is done to them one by one. What is about one member takes an `endpoint`.
 *
 * With authentication enabled etcd wants the role `root` for some of it; for what differs between its versions.
 *
 * @throws (every method) UnsupportedError on the embedded engine, before anything else; TypeError or RangeError for bad
 * arguments, before any I/O; AuthError; UnavailableError after `timeoutMs` (`dialTimeoutMs` if not said otherwise);
 * ClosedError; what changes something may end with OutcomeUnknownError
 */
export class Maintenance {
  readonly #caller: AdminCaller;
  readonly #endpoints: Endpoints;
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;

  constructor(caller: AdminCaller, endpoints: Endpoints, runtime: Runtime, timeoutMs: number) {
    this.#caller = caller;
    this.#endpoints = endpoints;
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs;
  }

  /** What a member knows of itself, also while it knows no leader. */
  async status(options?: MemberOptions): Promise<MemberStatus> {
    return this.#caller.call('memberStatus', {
      what: 'maintenance.status',
      request: () => ({}),
      options,
      own: ['endpoint'],
    });
  }

  /** The alarms that are raised, of all members. The header is left out by etcd before 3.5, here and in `disarm`. */
  async alarms(
    options?: CallOptions,
  ): Promise<{ readonly header?: Header; readonly alarms: readonly Alarm[] }> {
    return this.#caller.call('alarmList', {
      what: 'maintenance.alarms',
      request: () => ({}),
      options,
    });
  }

  /** Takes back one alarm that `alarms` lists. While its reason lasts, etcd raises it again. No error if it is not raised. */
  async disarm(alarm: Alarm, options?: CallOptions): Promise<{ readonly header?: Header }> {
    return this.#caller.call('alarmDisarm', {
      what: 'maintenance.disarm',
      request: () => checkAlarm(alarm),
      options,
    });
  }

  /**
   * Gives the space that compaction has freed in the database of one member back to the file system. The member answers
   * nothing meanwhile: do one at a time, the leader last. etcd's answer carries nothing.
   *
   * `timeoutMs` is Infinity if not given: it takes seconds per gigabyte, and goes on whoever waits. A member that is gone
   * is noticed.
   */
  async defragment(options: MemberOptions = {}): Promise<void> {
    const { timeoutMs = Infinity, endpoint = this.#endpoints.pick() } = options;
    await this.#caller.call('defragment', {
      what: 'maintenance.defragment',
      request: () => ({}),
      // Once the call has begun it must not go to a member that nobody has chosen.
      options: { ...options, timeoutMs, endpoint },
      own: ['endpoint'],
    });
  }

  /**
   * A checksum of the keys and their history on one member. Members that have the same hash at the same `revision` and
   * `compactRevision` have the same data.
   *
   * @throws CompactedError, FutureRevisionError
   */
  async hash(options: HashOptions = {}): Promise<StoreHash> {
    return this.#caller.call('hash', {
      what: 'maintenance.hash',
      request: () => ({ revision: revisionOption(options.revision, 'revision') }),
      options,
      own: ['endpoint', 'revision'],
    });
  }

  /**
   * Makes another member the leader; resolves when it is. Finds the present leader among `store.endpoints`.
   *
   * @throws InvalidRequestError for a learner, or an id of nobody; UnavailableError if the leader is at none of the
   * endpoints in use: `cluster.sync` may help
   */
  async moveLeader(targetId: bigint, options: CallOptions = {}): Promise<void> {
    const what = 'maintenance.moveLeader';
    this.#caller.transport(what);
    checkOptions(options, ['signal', 'timeoutMs'], what);
    checkId(targetId, 'targetId');
    const until = this.#runtime.now() + checkTimeout(options.timeoutMs ?? this.#timeoutMs);
    while (true) {
      const endpoint = await this.#leader(what, options.signal, until);
      try {
        const timeoutMs = this.#remainingMs(until);
        const own = { signal: options.signal, timeoutMs, endpoint };
        const request = (): { targetId: bigint } => ({ targetId });
        await this.#caller.call('moveLeader', { what, request, options: own, own: ['endpoint'] });
        return;
      } catch (error) {
        if (!isNotLeader(error) || this.#remainingMs(until) === 0) throw error;
      }
      await sleep(this.#runtime, leaderPauseMs, { signal: options.signal });
    }
  }

  /**
   * Saves the database of one member, keys and history, to a file, from which `etcdutl snapshot restore` (before etcd 3.5
   * `etcdctl snapshot restore`) makes a new cluster; this library does not restore. Use `--bump-revision` there if your etcd
   * has it: fencing tokens are revisions, and must not begin again from lower numbers.
   *
   * Guarantees: under `path` stands nothing or a whole snapshot, on the disk, whose checksum is right. What has failed
   * leaves nothing behind; what was killed, a file named `path` with a number and `.part`. Only as much as a few pieces
   * of 32 kB is ever held in memory. Readable by its owner alone: it holds all data, and hashes of passwords.
   *
   * @throws AlreadyExistsError if there is such a file and `overwrite` is not set; UnavailableError also for a stream that
   * broke off or was damaged on the way; Node's own error for what the file system refuses
   */
  async snapshot(path: string, options: SnapshotOptions = {}): Promise<SavedSnapshot> {
    return saveSnapshot(
      { caller: this.#caller, endpoints: this.#endpoints, runtime: this.#runtime },
      path,
      options,
    );
  }

  /** The endpoint of the leader: the first that says it is. */
  async #leader(what: string, signal: AbortSignal | undefined, until: number): Promise<string> {
    const timeoutMs = Math.min(leaderProbeMs, this.#remainingMs(until));
    const asked = this.#endpoints.all.map(async (endpoint) => {
      const { header, leader } = await this.status({ endpoint, signal, timeoutMs });
      if (header.memberId === leader) return endpoint;
      throw new InvalidRequestError(`${endpoint} is not the leader`);
    });
    try {
      return await Promise.any(asked);
    } catch (error) {
      signal?.throwIfAborted();
      const faults: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
      const fault = faults.find((each) => !isConclaveError(each, 'INVALID_REQUEST'));
      if (fault !== undefined) throw fault;
      const known = this.#endpoints.all.join(', ');
      throw new UnavailableError(`${what}: none of ${known} is the leader; see cluster.sync`, {
        cause: error,
      });
    }
  }

  #remainingMs(until: number): number {
    return Math.max(0, until - this.#runtime.now());
  }
}

function isNotLeader(error: unknown): boolean {
  return isConclaveError(error, 'INVALID_REQUEST') && /\bnot leader\b/.test(error.message);
}

function checkAlarm(alarm: Alarm): { memberId: bigint; type: 'nospace' | 'corrupt' } {
  const { type, memberId } = alarm;
  // etcd would silently take another one for "none", and do nothing.
  if (type !== 'nospace' && type !== 'corrupt')
    throw new TypeError(`an alarm that can be disarmed is nospace or corrupt, not ${JSON.stringify(type)}`);
  return { memberId: checkId(memberId, 'alarm.memberId'), type };
}
