import type {
  IAlarmMember,
  IAlarmRequest,
  IAlarmResponse,
  IAuthRoleGrantPermissionRequest,
  IAuthRoleGetResponse,
  IAuthRoleListResponse,
  IAuthRoleRevokePermissionRequest,
  IAuthStatusResponse,
  IAuthUserAddRequest,
  IAuthUserGetResponse,
  IAuthUserListResponse,
  IHashKVResponse,
  IMember,
  IMemberAddResponse,
  IMemberListResponse,
  IPermission,
  IResponseHeader,
  IStatusResponse,
} from 'etcd3';

import type {
  Access,
  AdminCalls,
  AdminMethod,
  Alarm,
  AlarmType,
  ClusterMember,
  MemberStatus,
  Permission,
  StoreHash,
} from '../store/admin-calls.js';
import type { Header } from '../store/results.js';
import { decodeBytes, decodeHeader } from './decode.js';
import { encodeRange } from './encode.js';
import type { Exchange } from './unary.js';

/**
 * How each method that administers a cluster is said in etcd's own RPCs. The names of etcd3's enums are checked by their
 * effect in test/etcd/auth-admin.cluster.test.ts and maintenance.cluster.test.ts: one that it does not know silently
 * becomes the first of the enum.
 */
export const adminMethods: {
  readonly [M in AdminMethod]: Exchange<AdminCalls[M]['request'], AdminCalls[M]['response']>;
} = {
  memberList: {
    rpc: ['Cluster', 'memberList'],
    encode: ({ linearizable }) => ({ linearizable }),
    decode: decodeMembers,
  },
  memberAdd: {
    rpc: ['Cluster', 'memberAdd'],
    encode: ({ peerUrls, isLearner }) => ({ peerURLs: peerUrls, isLearner }),
    decode: (response: IMemberAddResponse) => ({
      ...decodeMembers(response),
      member: decodeMember(response.member),
    }),
  },
  memberPromote: { rpc: ['Cluster', 'memberPromote'], encode: encodeId, decode: decodeMembers },
  memberUpdate: {
    rpc: ['Cluster', 'memberUpdate'],
    encode: ({ id, peerUrls }) => ({ ...encodeId({ id }), peerURLs: peerUrls }),
    decode: decodeMembers,
  },
  memberRemove: { rpc: ['Cluster', 'memberRemove'], encode: encodeId, decode: decodeMembers },

  authEnable: { rpc: ['Auth', 'authEnable'], encode: () => ({}), decode: decodeDone },
  authDisable: { rpc: ['Auth', 'authDisable'], encode: () => ({}), decode: decodeDone },
  authStatus: {
    rpc: ['Auth', 'authStatus'],
    encode: () => ({}),
    decode: ({ header, enabled, authRevision }: IAuthStatusResponse) => ({
      header: decodeHeader(header),
      enabled,
      authRevision: BigInt(authRevision),
    }),
  },
  userAdd: {
    rpc: ['Auth', 'userAdd'],
    encode: ({ name, password }): IAuthUserAddRequest =>
      password === undefined ? { name, options: { no_password: true } } : { name, password },
    decode: decodeDone,
  },
  userRemove: { rpc: ['Auth', 'userDelete'], encode: ({ name }) => ({ name }), decode: decodeDone },
  userGet: {
    rpc: ['Auth', 'userGet'],
    encode: ({ name }) => ({ name }),
    decode: ({ header, roles }: IAuthUserGetResponse) => ({ header: decodeHeader(header), roles }),
  },
  userList: {
    rpc: ['Auth', 'userList'],
    encode: () => ({}),
    decode: ({ header, users }: IAuthUserListResponse) => ({ header: decodeHeader(header), users }),
  },
  userChangePassword: {
    rpc: ['Auth', 'userChangePassword'],
    encode: ({ name, password }) => ({ name, password }),
    decode: decodeDone,
  },
  userGrantRole: {
    rpc: ['Auth', 'userGrantRole'],
    encode: ({ name, role }) => ({ user: name, role }),
    decode: decodeDone,
  },
  userRevokeRole: {
    rpc: ['Auth', 'userRevokeRole'],
    encode: ({ name, role }) => ({ name, role }),
    decode: decodeDone,
  },
  roleAdd: { rpc: ['Auth', 'roleAdd'], encode: ({ name }) => ({ name }), decode: decodeDone },
  roleRemove: { rpc: ['Auth', 'roleDelete'], encode: ({ name }) => ({ role: name }), decode: decodeDone },
  roleGet: {
    rpc: ['Auth', 'roleGet'],
    encode: ({ name }) => ({ role: name }),
    decode: ({ header, perm }: IAuthRoleGetResponse) => ({
      header: decodeHeader(header),
      permissions: perm.map(decodePermission),
    }),
  },
  roleList: {
    rpc: ['Auth', 'roleList'],
    encode: () => ({}),
    decode: ({ header, roles }: IAuthRoleListResponse) => ({ header: decodeHeader(header), roles }),
  },
  roleGrantPermission: {
    rpc: ['Auth', 'roleGrantPermission'],
    encode: ({ name, permission }): IAuthRoleGrantPermissionRequest => ({
      name,
      perm: encodePermission(permission),
    }),
    decode: decodeDone,
  },
  roleRevokePermission: {
    rpc: ['Auth', 'roleRevokePermission'],
    encode: ({ name, range }): IAuthRoleRevokePermissionRequest => ({ role: name, ...encodeRange(range) }),
    decode: decodeDone,
  },

  memberStatus: { rpc: ['Maintenance', 'status'], encode: () => ({}), decode: decodeStatus },
  alarmList: {
    rpc: ['Maintenance', 'alarm'],
    encode: (): IAlarmRequest => ({ action: 'Get', alarm: 'None' }),
    decode: (response: IAlarmResponse) => ({
      ...maybeHeader(response),
      alarms: response.alarms.map(decodeAlarm),
    }),
  },
  alarmDisarm: {
    rpc: ['Maintenance', 'alarm'],
    encode: ({ memberId, type }): IAlarmRequest => ({
      action: 'Deactivate',
      memberID: memberId.toString(),
      alarm: type === 'nospace' ? 'Nospace' : 'Corrupt',
    }),
    decode: maybeHeader,
  },
  defragment: { rpc: ['Maintenance', 'defragment'], encode: () => ({}), decode: () => ({}) },
  hash: {
    rpc: ['Maintenance', 'hashKv'],
    encode: ({ revision }) => ({ revision: revision.toString() }),
    decode: ({ header, hash, compact_revision }: IHashKVResponse): StoreHash => ({
      header: decodeHeader(header),
      hash: Number(hash),
      compactRevision: BigInt(compact_revision),
    }),
  },
  moveLeader: {
    rpc: ['Maintenance', 'moveLeader'],
    encode: ({ targetId }) => ({ targetID: targetId.toString() }),
    decode: () => ({}),
  },
};

function encodeId({ id }: { readonly id: bigint }): { ID: string } {
  return { ID: id.toString() };
}

function decodeDone({ header }: { readonly header: IResponseHeader }): { header: Header } {
  return { header: decodeHeader(header) };
}

/** etcd3's types say that it is always there; before 3.5 etcd leaves it out of what it answers about alarms. */
function maybeHeader({ header }: { readonly header: IResponseHeader | null }): { header?: Header } {
  return header ? { header: decodeHeader(header) } : {};
}

function decodeMembers({ header, members }: IMemberListResponse): {
  header: Header;
  members: readonly ClusterMember[];
} {
  return { header: decodeHeader(header), members: members.map(decodeMember) };
}

function decodeMember({ ID, name, peerURLs, clientURLs, isLearner }: IMember): ClusterMember {
  return { id: BigInt(ID), name, peerUrls: peerURLs, clientUrls: clientURLs, isLearner };
}

function decodeStatus(status: IStatusResponse): MemberStatus {
  return {
    header: decodeHeader(status.header),
    version: status.version,
    dbSizeBytes: BigInt(status.dbSize),
    dbSizeInUseBytes: BigInt(status.dbSizeInUse),
    leader: BigInt(status.leader),
    raftTerm: BigInt(status.raftTerm),
    raftIndex: BigInt(status.raftIndex),
    raftAppliedIndex: BigInt(status.raftAppliedIndex),
    isLearner: status.isLearner,
    errors: status.errors,
  };
}

const accesses = {
  Read: 'read',
  Write: 'write',
  Readwrite: 'readwrite',
} as const satisfies Record<IPermission['permType'], Access>;

const permissionTypes = {
  read: 'Read',
  write: 'Write',
  readwrite: 'Readwrite',
} as const satisfies Record<Access, IPermission['permType']>;

function encodePermission({ access, range }: Permission): IPermission {
  const { key, range_end = Buffer.alloc(0) } = encodeRange(range);
  return { permType: permissionTypes[access], key, range_end };
}

function decodePermission({ permType, key, range_end }: IPermission): Permission {
  const range = { key: decodeBytes(key), ...(range_end.length > 0 && { end: decodeBytes(range_end) }) };
  return { access: accesses[permType], range };
}

/** A newer etcd may have more of them; etcd3 hands out their numbers. */
const alarmTypes: Readonly<Record<string, AlarmType>> = { Nospace: 'nospace', Corrupt: 'corrupt' };

function decodeAlarm({ memberID, alarm }: IAlarmMember): Alarm {
  return { memberId: BigInt(memberID), type: alarmTypes[alarm] ?? 'unknown' };
}
