import { request } from 'node:http';

/**
 * A call of etcd's JSON gateway: enough for what faults do to a cluster, without the library that they are to test, and
 * without a process for each call. Bytes go and come in base64, numbers of 64 bits as text.
 */
export function callGateway(
  endpoint: string,
  path: string,
  body: object,
  timeoutMs = 5_000,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const url = new URL(`/v3/${path}`, endpoint);
    const settings = { method: 'POST', agent: false, signal: AbortSignal.timeout(timeoutMs) };
    const call = request(url, settings, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as Record<string, unknown>);
        else reject(new Error(`${path}: ${text}`));
      });
    });
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}

export function putByGateway(
  endpoint: string,
  key: string,
  value: string,
  timeoutMs?: number,
): Promise<object> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return callGateway(endpoint, 'kv/put', { key: base64(key), value: base64(value) }, timeoutMs);
}

/** The store's revision, by a linearizable read. */
export async function revisionByGateway(endpoint: string): Promise<number> {
  const { header } = await callGateway(endpoint, 'kv/range', { key: 'AA==', count_only: true });
  return Number((header as { revision?: string }).revision ?? 0);
}

export interface MemberStatus {
  readonly id: string;
  /** '0' if it knows none. */
  readonly leader: string;
  readonly term: number;
}

/** What one member thinks, whatever the others do. */
export async function statusByGateway(endpoint: string, timeoutMs = 1_000): Promise<MemberStatus> {
  const answer = await callGateway(endpoint, 'maintenance/status', {}, timeoutMs);
  const {
    header,
    leader = '0',
    raftTerm = '0',
  } = answer as {
    header: { member_id: string };
    leader?: string;
    raftTerm?: string;
  };
  return { id: header.member_id, leader, term: Number(raftTerm) };
}
