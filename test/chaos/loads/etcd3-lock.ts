import { Etcd3, EtcdLockFailedError } from 'etcd3';
import { parseFacts } from '../../history/facts.js';
import { judgeRegister } from '../../history/invariants/register.js';
import { livesOf } from '../../history/lives.js';
import { mutex } from '../../history/lock-kinds.js';
import { operationsOf } from '../../history/record.js';
import type { Desk, Workload } from '../../workload/workload.js';
import type { RealDesk } from '../loads.js';

const folder = 'etcd3/';
export const lockKey: string = `${folder}m`;
export const guardedRegister = 'app/etcd3';
const ttlSeconds = 2;

/** A register under the lock of npm `etcd3`, as its documentation shows it: nothing is compared. */
export const etcd3Lock: Workload = {
  name: 'etcd3-lock',
  async turn(desk) {
    const client = new Etcd3({ hosts: [...desk.conclave.store.endpoints] });
    try {
      await round(desk, client);
    } finally {
      client.close();
    }
  },
  judge({ entries, changes, lagMs = 0 }) {
    const operations = operationsOf(entries);
    const evidence = { kind: mutex, line: folder, operations, changes, lives: livesOf(changes), lagMs };
    return judgeRegister(evidence, guardedRegister);
  },
};

async function round(desk: Desk, client: Etcd3): Promise<void> {
  const lock = client.lock(lockKey).ttl(ttlSeconds);
  try {
    await lock.acquire();
  } catch (error) {
    if (error instanceof EtcdLockFailedError) return desk.pause(100); // somebody has it
    throw error;
  }
  const token = Number((await client.getAll().prefix(lockKey).exec()).kvs[0]?.create_revision);
  desk.note('granted', lockKey, { token });
  await desk.pause(100);
  const n = Number(parseFacts((await client.get(guardedRegister).string()) ?? '{"n":0}')['n']) + 1;
  (desk as RealDesk).probe('use.write');
  const value = JSON.stringify({ token, client: desk.name, n });
  await desk.call(
    'write',
    lockKey,
    { token },
    () => Promise.resolve(client.put(guardedRegister).value(value).exec()),
    ({ header }) => ({ revision: Number(header.revision) }),
  );
  await lock.release().catch(() => {});
}
