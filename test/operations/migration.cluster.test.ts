import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Conclave, connect } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { patience } from '../rig/patience.js';

let cluster: Cluster;
let conclave: Conclave;
let etcd3: Etcd3;

beforeAll(async () => {
  cluster = await Cluster.start();
  conclave = await connect({ endpoints: cluster.endpoints });
  etcd3 = new Etcd3({ hosts: [...cluster.endpoints] });
});
afterAll(async () => {
  etcd3.close();
  await conclave.close();
  await cluster.dispose();
});

it('a lock of etcd3 and a mutex of Conclave do not exclude each other, whatever they are called', async () => {
  const theirs = await etcd3.lock('jobs').ttl(10).acquire();
  const mine = await conclave.mutex('jobs').tryAcquire();
  const onTheirKey = await conclave.mutex({ path: 'jobs' }).tryAcquire();
  expect([mine?.isHeld(), onTheirKey?.isHeld()]).toEqual([true, true]);
  await mine?.release();
  await onTheirKey?.release();
  await theirs.release();
});

it('an election of etcd3 and one of Conclave on its path have one leader, in the order in which they came', async () => {
  const election = conclave.election({ path: 'election/scheduler' });
  const untilTwo = (): Promise<void> =>
    vi.waitFor(async () => expect(await election.candidates()).toHaveLength(2), patience);
  const first = etcd3.election('scheduler').campaign('theirs');
  await first.wait();
  expect(await election.leader()).toMatchObject({ value: 'theirs' });
  const campaigning = election.campaign('mine');
  await untilTwo();
  await first.resign();
  const leadership = await campaigning;
  expect(await etcd3.election('scheduler').leader()).toBe('mine');
  const second = etcd3.election('scheduler').campaign('theirs again');
  await untilTwo();
  await leadership.resign();
  await second.wait();
  expect(await election.leader()).toMatchObject({ value: 'theirs again' });
  await second.resign();
});
