import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.js';

/** Takes a member out of its cluster, and puts another one in its place, at the same addresses. Resolves when that serves. */
export async function replaceMember(cluster: Cluster, index: number): Promise<void> {
  const others = cluster.endpoints.filter((_, i) => i !== index);
  const ask = (...words: string[]): Promise<string> =>
    cluster.etcdctl('member', ...words, `--endpoints=${others.join(',')}`);
  /** Id, state, name, peer address of each. */
  const list = async (): Promise<string[][]> =>
    (await ask('list')).split('\n').map((line) => line.split(', '));
  const name = `m${index}`;
  const [id = '', , , peer = ''] = (await patiently(list)).find(([, , each]) => each === name) ?? [];
  await patiently(async () => {
    if ((await list()).some(([each]) => each === id)) await ask('remove', id);
  });
  await cluster.kill(index); // it ends by itself, some time
  await patiently(async () => {
    if (!(await list()).some(([, , , each]) => each === peer)) await ask('add', name, `--peer-urls=${peer}`);
  });
  await cluster.startAnew(index);
}

/** Etcd changes nothing while it is not sure of its other members, or elects a leader. */
async function patiently<T>(change: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await change();
    } catch (error) {
      if (tries === 40) throw error;
      await delay(250);
    }
  }
}
