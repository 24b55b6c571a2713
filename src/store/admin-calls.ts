import type { KeyRange } from './operations.js';
import type { Header } from './results.js';

/** A member of the cluster. */
export interface ClusterMember {
  readonly id: bigint;
  /** Empty until the member has started for the first time. */
  readonly name: string;
  /** Where the other members reach it. */
  readonly peerUrls: readonly string[];
  /** Where clients reach it, as it advertises itself; empty until it has started. */
  readonly clientUrls: readonly string[];
  /** Copies what the others have without a vote. */
  readonly isLearner: boolean;
}

/** What one member knows of itself. */
export interface MemberStatus {
  /** Of the member that has answered: `memberId` names it. */
  readonly header: Header;
  /** Of the server, for example `3.5.12`. */
  readonly version: string;
  /** What its database takes on disk, bytes. */
  readonly dbSizeBytes: bigint;
  /** What of that is in use, bytes: `defragment` gives back the rest. */
  readonly dbSizeInUseBytes: bigint;
  /** Member id of the leader; 0n if this member knows none. */
  readonly leader: bigint;
  readonly raftTerm: bigint;
  /** The newest entry that a majority has. */
  readonly raftIndex: bigint;
  /** The newest entry that this member has carried out. */
  readonly raftAppliedIndex: bigint;
  readonly isLearner: boolean;
  /** Its complaints in its own words, alarms among them; empty if it is well. */
  readonly errors: readonly string[];
}

/**
 * - `nospace`: a member is over its space quota; the cluster takes no puts until there is space and this is disarmed
 * - `corrupt`: the members do not have the same data
 * - `unknown`: one that this version of the library has no word for
 */
export type AlarmType = 'nospace' | 'corrupt' | 'unknown';

export interface Alarm {
  readonly memberId: bigint;
  readonly type: AlarmType;
}

export type Access = 'read' | 'write' | 'readwrite';

/** What a role allows. */
export interface Permission {
  readonly access: Access;
  readonly range: KeyRange;
}

export interface StoreHash {
  /** Of the member that has answered. */
  readonly header: Header;
  /** Of all keys and their history from `compactRevision` to the revision that was asked for. */
  readonly hash: number;
  readonly compactRevision: bigint;
}

interface Done {
  readonly header: Header;
}

/** Before 3.5 etcd leaves out the header of what it answers about alarms. */
interface MaybeHeaded {
  readonly header?: Header;
}

interface Members {
  readonly header: Header;
  readonly members: readonly ClusterMember[];
}

type Nothing = Readonly<Record<string, never>>;

/** Request and response of each method that administers a cluster. Where etcd answers without a header, there is none. */
export interface AdminCalls {
  memberList: { request: { readonly linearizable: boolean }; response: Members };
  memberAdd: {
    request: { readonly peerUrls: readonly string[]; readonly isLearner: boolean };
    response: Members & { readonly member: ClusterMember };
  };
  memberPromote: { request: { readonly id: bigint }; response: Members };
  memberUpdate: { request: { readonly id: bigint; readonly peerUrls: readonly string[] }; response: Members };
  memberRemove: { request: { readonly id: bigint }; response: Members };

  authEnable: { request: Nothing; response: Done };
  authDisable: { request: Nothing; response: Done };
  authStatus: {
    request: Nothing;
    response: { readonly header: Header; readonly enabled: boolean; readonly authRevision: bigint };
  };
  /** Without a password the user can only come with a certificate of that name. */
  userAdd: {
    request: { readonly name: string; readonly password: string | undefined };
    response: Done;
  };
  userRemove: { request: { readonly name: string }; response: Done };
  userGet: {
    request: { readonly name: string };
    response: { readonly header: Header; readonly roles: readonly string[] };
  };
  userList: {
    request: Nothing;
    response: { readonly header: Header; readonly users: readonly string[] };
  };
  userChangePassword: {
    request: { readonly name: string; readonly password: string };
    response: Done;
  };
  userGrantRole: { request: { readonly name: string; readonly role: string }; response: Done };
  userRevokeRole: { request: { readonly name: string; readonly role: string }; response: Done };
  roleAdd: { request: { readonly name: string }; response: Done };
  roleRemove: { request: { readonly name: string }; response: Done };
  roleGet: {
    request: { readonly name: string };
    response: { readonly header: Header; readonly permissions: readonly Permission[] };
  };
  roleList: {
    request: Nothing;
    response: { readonly header: Header; readonly roles: readonly string[] };
  };
  roleGrantPermission: {
    request: { readonly name: string; readonly permission: Permission };
    response: Done;
  };
  roleRevokePermission: { request: { readonly name: string; readonly range: KeyRange }; response: Done };

  memberStatus: { request: Nothing; response: MemberStatus };
  alarmList: {
    request: Nothing;
    response: MaybeHeaded & { readonly alarms: readonly Alarm[] };
  };
  alarmDisarm: {
    request: { readonly memberId: bigint; readonly type: Exclude<AlarmType, 'unknown'> };
    response: MaybeHeaded;
  };
  defragment: { request: Nothing; response: object };
  /** Revision 0n means the latest one. */
  hash: { request: { readonly revision: bigint }; response: StoreHash };
  moveLeader: { request: { readonly targetId: bigint }; response: object };
}

export type AdminMethod = keyof AdminCalls;

/** A piece of a snapshot. */
export interface SnapshotPiece {
  readonly bytes: Uint8Array;
  /** How many bytes of the database follow; the checksum that comes after them is not counted. */
  readonly remainingBytes: bigint;
}
