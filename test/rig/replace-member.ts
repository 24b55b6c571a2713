import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.js';

/** Takes a member out of its cluster, and puts another one in its place, at the same addresses. Resolves when that serves. */
export async function replaceMember(cluster: Cluster, index: number): Promise<void> {
  const others = cluster.endpoints.filter((_, i) => i !== index);
  const ask = (...words: string[]): Promise<string> =>
    cluster.etcdctl('member', ...words, `--endpoints=${others.join(',')}`);
  const name = `m${index}`;
  const members = (await ask('list')).split('\n').map((line) => line.split(', '));
  const [id = '', , , peer = ''] = members.find(([, , each]) => each === name) ?? [];
  await untilTaken(() => ask('remove', id));
  await cluster.kill(index); // it ends by itself, some time
  await untilTaken(() => ask('add', name, `--peer-urls=${peer}`));
  await cluster.startAnew(index);
}

/** Etcd changes nothing as long as it is not sure of its other members. */
async function untilTaken(change: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await change();
      return;
    } catch (error) {
      if (tries === 40 || !/unhealthy cluster|not enough started members/.test(String(error))) throw error;
      await delay(250);
    }
  }
}
