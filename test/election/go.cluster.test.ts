import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import type { Election } from '../../src/election/election.js';
import { put } from '../../src/store/operations.js';
import { Cluster } from '../rig/cluster.js';
import { GoBuild, type GoProgram } from '../rig/go-program.js';
import { patience } from '../rig/patience.js';
import { Onlooker, untilLineUp } from './onlooker.js';

const guardMs = 60_000;
let go: GoBuild;
let cluster: Cluster;
let one: Conclave;
let other: Conclave;
let path: string;
let election: Election;

beforeAll(async () => {
  go = await GoBuild.make();
  cluster = await Cluster.start({ members: 3 });
  one = await connect({ endpoints: cluster.endpoints });
  other = await connect({ endpoints: cluster.endpoints });
}, 5 * guardMs);

afterAll(async () => {
  await one.close();
  await other.close();
  await cluster.dispose();
  await go[Symbol.asyncDispose]();
});

beforeEach((context) => {
  if (go.lacks !== undefined) context.skip(go.lacks);
  path = `interop/${randomUUID()}`;
  election = one.election({ path });
});

const candidate = (value: string, ttlSeconds = 20): GoProgram =>
  go.start(cluster.endpoints, ttlSeconds, 'elect', path, value);

describe('an election shared with a Go program', { timeout: 2 * guardMs }, () => {
  it('that leads, is seen by us with every value it proclaims, and is ours when it resigns, not before', async () => {
    await using onlooker = new Onlooker(other.election({ path }));
    await onlooker.until(undefined);
    await using theirs = candidate('gopher');
    const { key, fencingToken } = await theirs.holds();
    expect(await election.leader()).toEqual({ key, fencingToken, value: 'gopher' });
    await onlooker.until('gopher');
    const next = election.campaign('ours');
    await untilLineUp(election, 'gopher', 'ours');
    expect(await theirs.ask('proclaim mole')).toBe('proclaimed');
    await onlooker.until('mole');
    await expect(election.campaign('hasty', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
    });

    expect(await theirs.ask('release')).toBe('released');
    await using leadership = await next;
    expect(leadership.fencingToken).toBeGreaterThan(fencingToken);
    await onlooker.until('ours');
    expect(onlooker.values).toEqual([undefined, 'gopher', 'mole', 'ours']);
  });

  it('that leads and is killed, is ours when its lease has ended', async () => {
    await using theirs = candidate('gopher', 2);
    const { key } = await theirs.holds();
    const next = election.campaign('ours');
    await untilLineUp(election, 'gopher', 'ours');
    await theirs.kill();
    await using leadership = await next;
    expect((await one.store.get(key)).count).toBe(0);
    expect(await one.store.txn({ if: leadership.guard() })).toMatchObject({ succeeded: true });
  });

  it('that looks on, shows it every value of ours as it is', async () => {
    await using onlooker = go.start(cluster.endpoints, 20, 'observe', path);
    const leadership = await election.campaign('ours: {"v":1}');
    const { key, fencingToken } = leadership;
    const told = (value: string): string => `leader ${key} ${fencingToken} ${value}`;
    expect(await onlooker.lines(1)).toEqual([told('ours: {"v":1}')]);
    await leadership.proclaim('ours still');
    expect(await onlooker.lines(2)).toContain(told('ours still'));
    await leadership.resign();
    await using theirs = candidate('gopher');
    const held = await theirs.holds();
    expect((await onlooker.lines(3)).at(-1)).toBe(`leader ${held.key} ${held.fencingToken} gopher`);
  });

  it('that waits, is its when we resign, and not before', async () => {
    const leadership = await election.campaign('ours');
    await using theirs = candidate('gopher');
    await untilLineUp(election, 'ours', 'gopher');
    await leadership.proclaim('ours still');
    expect(theirs.said).toEqual([]);
    await leadership.resign();
    const { key } = await theirs.holds();
    expect(await election.leader()).toMatchObject({ key, value: 'gopher' });
  });

  it('that waits, is its when our lease has ended, and what we write then is refused', async () => {
    await using session = await one.withSession({ ttlMs: 30_000 });
    const leadership = await session.election({ path }).campaign('ours');
    const guard = leadership.guard();
    await using theirs = candidate('gopher');
    await untilLineUp(election, 'ours', 'gopher');
    await one.store.lease.revoke(session.leaseId);
    await theirs.holds();
    const late = { if: guard, then: [put(`mark/${path}`, 'late')] };
    expect(await one.store.txn(late)).toMatchObject({ succeeded: false });
    await expect(leadership.proclaim('late')).rejects.toMatchObject({ code: 'HOLD_LOST' });
    expect(await election.leader()).toMatchObject({ value: 'gopher' });
  });

  it('goes from one to the other in the order in which they stood up', async () => {
    const first = await election.campaign('1');
    await using second = candidate('2');
    await untilLineUp(election, '1', '2');
    const third = other.election({ path }).campaign('3');
    await untilLineUp(election, '1', '2', '3');
    await using fourth = candidate('4');
    await untilLineUp(election, '1', '2', '3', '4');
    await using onlooker = new Onlooker(election);
    await onlooker.until('1');

    await first.resign();
    await second.holds();
    await onlooker.until('2');
    await second.ask('release');
    const leadership = await third;
    expect(fourth.said).toEqual([]);
    await leadership.resign();
    await fourth.holds();
    await fourth.ask('release');
    await onlooker.until(undefined);
    expect(onlooker.values).toEqual(['1', '2', '3', '4', undefined]);
    const tokens = onlooker.seen.slice(0, 4).map(({ leader }) => leader!.fencingToken);
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
  });

  it('refuses what an overtaken Go leader writes under its guard', async () => {
    await using theirs = candidate('gopher');
    const { key } = await theirs.holds();
    await one.store.remove(key); // as an administrator takes it away
    await using leadership = await election.campaign('ours');
    expect(await theirs.ask(`write mark/${path} theirs`)).toBe('written false');
    await leadership.commit([put(`mark/${path}`, 'ours')]);
    await vi.waitFor(async () => expect(await election.leader()).toMatchObject({ value: 'ours' }), patience);
  });
});
