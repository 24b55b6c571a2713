// Where the programs of this folder find their store, and how they print what it answers: as the Go client does.
import { toText } from 'conclave';

/** `node PROGRAM memory:` runs on an embedded engine; otherwise CONCLAVE_ENDPOINTS says where etcd is. */
export const target =
  process.argv[2] === 'memory:' ? 'memory:' : (process.env.CONCLAVE_ENDPOINTS ?? 'http://127.0.0.1:2379');

export function headerText({ clusterId, memberId, revision, raftTerm }) {
  return `cluster_id:${clusterId} member_id:${memberId} revision:${revision} raft_term:${raftTerm}`;
}

export function kvText({ key, value, createRevision, modRevision, version }) {
  return `key:"${toText(key)}" create_revision:${createRevision} mod_revision:${modRevision} version:${version} value:"${toText(value)}"`;
}

export function kvsText(kvs) {
  return `[${kvs.map(kvText).join(' ')}]`;
}
