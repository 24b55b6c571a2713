import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { figure } from '../rig/figure.js';
import { Recorder } from '../rig/history.js';
import { guardMs } from '../rig/patience.js';
import { Watcher } from './watcher.js';

const namespace = 'registry';
const sessionTtlMs = 2_000;

let cluster: Cluster;
let observer: Conclave;
let recorder: Recorder;
const instances: Client[] = [];

beforeEach(async () => {
  cluster = await Cluster.start({ members: 3 });
  observer = await connect({ endpoints: cluster.endpoints, namespace });
  recorder = new Recorder(observer);
}, guardMs);

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.kill()));
  await recorder[Symbol.asyncDispose]();
  await observer.close();
  await cluster.dispose();
}, guardMs);

async function start(id: string): Promise<Client> {
  const options = { endpoints: cluster.endpoints, namespace, sessionTtlMs, dialTimeoutMs: 20_000 };
  const instance = await Client.start('member-process.js', { options });
  instances.push(instance);
  const value = JSON.stringify({ address: `10.0.0.1:80${instances.length}`, zone: id });
  await instance.call('join', { group: 'web', as: id, value });
  return instance;
}

it('a client finds the instances of a service with their addresses; one that is killed is gone with its lease, no other', async () => {
  const group = observer.group('web');
  const watcher = new Watcher(group);
  const east = await start('east');
  await start('west');
  await start('north');
  const { members } = await group.members();
  expect(members.map(({ id, value }) => [id, JSON.parse(value) as unknown])).toEqual([
    ['east', { address: '10.0.0.1:801', zone: 'east' }],
    ['west', { address: '10.0.0.1:802', zone: 'west' }],
    ['north', { address: '10.0.0.1:803', zone: 'north' }],
  ]);

  const from = performance.now();
  await east.kill();
  await vi.waitFor(() => expect(watcher.last?.left.map(({ id }) => id)).toEqual(['east']), {
    timeout: 10 * sessionTtlMs,
    interval: 20,
  });

  figure('from the kill of an instance to the news of it', performance.now() - from);
  expect(watcher.last?.members.map(({ id }) => id)).toEqual(['west', 'north']);
  // Its lease has ended, and nothing else: what was under it went in one revision.
  await recorder.catchUp();
  const gone = recorder.livesBelow(`${namespace}/group/web/east/`);
  const sessions = recorder.livesBelow(`${namespace}/session/`).filter(({ to }) => to === gone[0]?.to);
  expect([gone.length, sessions.length]).toEqual([1, 1]);
  // Started again, it is found again.
  await start('east');
  await vi.waitFor(
    () => expect(watcher.last?.members.map(({ id }) => id)).toEqual(['west', 'north', 'east']),
    {
      timeout: guardMs / 2,
      interval: 20,
    },
  );
  await watcher.stop();
});
