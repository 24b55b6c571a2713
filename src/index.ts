/// <reference lib="esnext.disposable" preserve="true" />
export { type ConnectOptions, connect } from './connect.js';
export { Conclave, type SessionConclave } from './conclave.js';
export type { ConclaveOptions, FoundationOptions } from './conclave-options.js';
export type { CloseOptions } from './session/connection.js';
export type { ForceReleaseOptions, RequestReleaseOptions } from './session/asking.js';
export type { Health, HealthOptions } from './session/health.js';
export type { Hold } from './session/hold.js';
export { ForcedRelease, ReleaseRequest } from './session/release-request.js';
export type { Holder, TicketInfo } from './session/ticket-value.js';
export type { ListEntry, ListOptions } from './session/line-list.js';
export type { LineKind } from './session/line-kinds.js';
export type { Lock } from './lock/lock.js';
export type { LockOptions, ReentrantOptions } from './lock/options.js';
export type { Candidate, CampaignOptions, Election, Leader, Observation } from './election/election.js';
export type { LeadOptions } from './election/lead.js';
export type { Leadership } from './election/leadership.js';
export type { MultiHold, MultiLock, MultiLockState } from './lock/multi-lock.js';
export type { Mutex, MutexState } from './lock/mutex.js';
export type { ReadHold, RwLock, RwLockState, WriteHold } from './lock/rw-lock.js';
export type { PermitOptions, Semaphore, SemaphoreOptions, SemaphoreState } from './lock/semaphore.js';
export type { Group, GroupOptions, JoinOptions } from './membership/group.js';
export type { Membership } from './membership/membership.js';
export type { GroupChange, Member, Roll, UnreadableMember } from './membership/roll.js';
export type { ShardWork } from './membership/shard-workers.js';
export type { ShardRunOptions, Shards, ShardState } from './membership/shards.js';
export type { Backoff } from './queue/job.js';
export type { CronTiming, IntervalTiming, Timing } from './queue/calendar.js';
export type { DeadLetter, DeadLetters } from './queue/dead-letters.js';
export { type Delivery, FailJob, type RetryOptions } from './queue/delivery.js';
export type { Enqueued } from './queue/enqueuer.js';
export type { QueueEvent } from './queue/events.js';
export type { JobHappening, QueueHappening } from './queue/happenings.js';
export type { QueueState, RunningJob } from './queue/inspect.js';
export type { DeadReason } from './queue/moves.js';
export type { NewJob, Queue } from './queue/queue.js';
export type { EnqueueOptions, QueueOptions } from './queue/queue-options.js';
export type { JobEnd } from './queue/wait-for.js';
export type { CatchUp, Schedule } from './queue/schedule.js';
export type { ScheduleOptions } from './queue/schedules.js';
export type { WorkOptions } from './queue/work.js';
export type { RecipePriorityQueue } from './queue/recipe-priority-queue.js';
export type { RecipeQueue } from './queue/recipe-queue.js';
export type { LiveSettings, SettingsChange } from './config/live-settings.js';
export type { ConfigProblem, LiveValue } from './config/live-value.js';
export type { ConfigOptions, ReadOptions, SettingsOptions } from './config/options.js';
export type { SetOptions } from './config/writing.js';
export type { CyclicBarrier, Trip } from './barrier/cyclic-barrier.js';
export type { DoubleBarrier } from './barrier/double-barrier.js';
export type { BarrierProgress } from './barrier/entrance.js';
export type { BarrierOptions } from './barrier/options.js';
export type { Pass } from './barrier/pass.js';
export type { CloseGateOptions, Gate } from './barrier/gate.js';
export type { CountDownLatch, LatchOptions, LatchProgress } from './barrier/latch.js';
export type { Counter, CounterState } from './counter/counter.js';
export type { Ids, IdsOptions } from './counter/ids.js';
export type { Place } from './base/keys.js';
export type { WaitOptions } from './base/wait.js';
export type { Bytes } from './base/bytes.js';
export { toText } from './base/bytes.js';
export type { InferInput, InferOutput, SchemaIssue, SchemaResult, StandardSchema } from './base/schema.js';
export type { Runtime, Timer, TimerOptions } from './base/runtime.js';
export type { DiagnosticEvents } from './base/diagnostics.js';
export type { Etcd3Options } from './etcd/etcd3-options.js';
export type { TlsOptions } from './etcd/tls-options.js';

export {
  AlreadyExistsError,
  AlreadyHeldError,
  type AnyConclaveError,
  AuthError,
  type BreakingParty,
  BrokenBarrierError,
  ClosedError,
  CompactedError,
  ConclaveError,
  ConflictError,
  type ErrorCode,
  FencedOutError,
  FutureRevisionError,
  type HoldFacts,
  HoldLostError,
  InvalidRequestError,
  InvalidValueError,
  isConclaveError,
  NotFoundError,
  OutcomeUnknownError,
  ResourceExhaustedError,
  SessionLostError,
  type SessionLostReason,
  type StoredAt,
  UnavailableError,
  UnsupportedError,
  type ValueIssue,
  WaitTimeoutError,
} from './base/errors.js';

export type { Store } from './store/store.js';
export { type AtomicOptions, atomically } from './store/atomically.js';
export type { Pair, StagedPutOptions, Transaction } from './store/staged.js';
export type { CallOptions } from './store/caller.js';
export type {
  Access,
  Alarm,
  AlarmType,
  ClusterMember,
  MemberStatus,
  Permission,
  StoreHash,
} from './store/admin-calls.js';
export type { MemberOptions } from './store/admin-caller.js';
export type { Auth, NewUserOptions, Roles, Users } from './store/auth.js';
export type { AddMemberOptions, Cluster, MemberListOptions, MembersResult } from './store/cluster.js';
export type { IgnoredEndpoint, IgnoredReason, SyncedEndpoints } from './store/cluster-sync.js';
export type { HashOptions, Maintenance } from './store/maintenance.js';
export type { SavedSnapshot, SnapshotOptions, SnapshotProgress } from './store/snapshot.js';
export type { GrantOptions, Lease, Leases, LeaseStatus } from './store/lease.js';
export type { Renewal } from './store/keep-alive.js';
export type { WatchNotice, WatchOptions } from './store/watching.js';
export {
  compare,
  type Compare,
  type CompareResult,
  fromKey,
  get,
  type GetOp,
  type GetOptions,
  type KeyRange,
  type Op,
  prefix,
  put,
  type PutOp,
  type PutOptions,
  range,
  type RangeLike,
  remove,
  type RemoveOp,
  type RemoveOptions,
  type SortOrder,
  type SortTarget,
  txn,
  type TxnOp,
  type TxnParts,
} from './store/operations.js';
export type {
  Answer,
  GetResult,
  Header,
  KeyValue,
  OpResult,
  PutResult,
  RemoveResult,
  ResultOf,
  ResultsOf,
  StoreEvent,
  TxnResult,
} from './store/results.js';
