import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import type { Election } from '../../src/election/election.js';
import { Cluster } from '../rig/cluster.js';
import { EtcdctlCandidate, EtcdctlOnlooker } from '../rig/etcdctl-program.js';
import { Onlooker, untilLineUp } from './onlooker.js';

let cluster: Cluster;
let conclave: Conclave;
let path: string;
let election: Election;

beforeAll(async () => {
  cluster = await Cluster.start();
  conclave = await connect({ endpoints: cluster.endpoints });
});

afterAll(async () => {
  await conclave.close();
  await cluster.dispose();
});

beforeEach(() => {
  path = randomUUID();
  election = conclave.election({ path });
});

describe('a path shared with etcdctl elect', () => {
  it('under etcdctl, is observed by us, and ours when it resigns', async () => {
    await using onlooker = new Onlooker(election);
    await onlooker.until(undefined);
    await using theirs = new EtcdctlCandidate(cluster.endpoints, path, 'theirs');
    const [key] = await theirs.leads();
    expect(await election.leader()).toMatchObject({ key, value: 'theirs' });
    const next = election.campaign('ours');
    await untilLineUp(election, 'theirs', 'ours');
    await theirs.interrupt();
    await using leadership = await next;
    expect(leadership.value).toBe('ours');
    await onlooker.until('ours');
    expect(onlooker.values).toEqual([undefined, 'theirs', 'ours']);
  });

  it('under us, is observed by etcdctl, and its when we resign, not before', async () => {
    await using onlooker = new EtcdctlOnlooker(cluster.endpoints, path);
    const leadership = await election.campaign('ours');
    expect(await onlooker.lines(2)).toEqual([leadership.key, 'ours']);
    await using theirs = new EtcdctlCandidate(cluster.endpoints, path, 'theirs');
    await untilLineUp(election, 'ours', 'theirs');
    await leadership.proclaim('ours still');
    expect((await onlooker.lines(4)).slice(2)).toEqual([leadership.key, 'ours still']);
    expect(theirs.output).toBe('');
    await leadership.resign();
    const held = await theirs.leads();
    expect((await onlooker.lines(6)).slice(4)).toEqual(held);
    expect(held[1]).toBe('theirs');
    await theirs.interrupt();
    expect(await election.leader()).toBeUndefined();
  });
});
