import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { Random } from '../../../src/testing/random.js';
import { figure } from '../../rig/figure.js';
import { patience } from '../../rig/patience.js';
import { nemesisNamed } from '../nemesis/nemeses.js';
import type { Undo } from './links.js';
import { between, client, from, member } from './node.js';
import { Probe } from './probe.js';
import { Rig } from './rig.js';
import { skipIf } from './skip.js';

const lacking = Rig.lacks('netns');

describe('a cluster and clients in network namespaces', () => {
  let rig: Rig;
  let probes: Probe[];
  beforeAll(async () => {
    if (lacking !== undefined) return;
    const start = performance.now();
    rig = await Rig.start({ tier: 'netns' });
    figure('a rig with three members and three places', performance.now() - start);
    probes = await Promise.all([0, 1, 2].map((place) => Probe.start(rig, place)));
  });
  beforeEach(skipIf(lacking));
  afterAll(async () => {
    if (lacking === undefined) await rig[Symbol.asyncDispose]();
  });

  afterEach(async () => {
    if (lacking === undefined) await rig.heal();
  });

  const begin = (name: string, holder = 0): Promise<Undo> =>
    nemesisNamed(name).begin({ rig, holder: () => holder }, new Random(1));

  /** How late the packets came that were sent from one place to another: as many as are awaited, and a moment more. */
  async function arrivals(
    sender: number,
    receiver: number,
    count: number,
    awaited = count,
  ): Promise<number[]> {
    const [one, other] = [probes[sender]!, probes[receiver]!];
    const before = other.packets.length;
    await one.send(other, count);
    await vi.waitFor(() => expect(other.packets.length - before).toBeGreaterThanOrEqual(awaited), patience);
    // Longer than any link holds up: what is sent has come, or never will.
    await delay(200);
    return other.packets.slice(before).map(({ lateMs }) => lateMs);
  }

  it('loses what goes one way, and nothing of what goes the other way', async () => {
    const undo = await rig.links.cut(from([client(0)], [client(1)]));
    expect(await arrivals(0, 1, 50, 0)).toHaveLength(0);
    expect(await arrivals(1, 0, 50)).toHaveLength(50);
    expect(await arrivals(0, 2, 50)).toHaveLength(50);
    await undo();
    expect(await arrivals(0, 1, 50)).toHaveLength(50);
  });

  it('loses its share of packets', async () => {
    const undo = await rig.links.degrade(from([client(0)], [client(1)]), { loss: 0.5 });
    const { length } = await arrivals(0, 1, 400, 1);
    expect(length).toBeGreaterThan(120);
    expect(length).toBeLessThan(280);
    await undo();
    expect(await arrivals(0, 1, 50)).toHaveLength(50);
  });

  it('delivers late, twice, and not at all, on one link and in one direction', async () => {
    const quality = { delayMs: 60, jitterMs: 20, loss: 0.2, duplicates: 0.4 };
    const undo = await rig.links.degrade(from([client(0)], [client(1)]), quality);
    const late = await arrivals(0, 1, 400, 200);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(40);
    const back = await arrivals(1, 0, 50);
    expect(Math.min(...back)).toBeLessThan(40);
    await undo();
    const { forwarded, dropped, duplicated } = rig.links.counts!;
    figure(
      'packets late, lost and doubled',
      `${forwarded} forwarded, ${dropped} lost, ${duplicated} doubled`,
    );
    expect(forwarded).toBe(late.length);
    expect(dropped).toBeGreaterThan(40);
    expect(duplicated).toBeGreaterThan(80);
    expect(await arrivals(0, 1, 50)).toHaveLength(50);
  });

  it('sums up impairments, and undoes each by itself', async () => {
    const undoPart = await rig.links.cut(from([client(0)], [client(1)]));
    const undoAll = await rig.links.cut(between([client(0)], [client(1), client(2)]));
    await undoAll();
    await undoAll();
    expect(await arrivals(0, 1, 20, 0)).toHaveLength(0);
    expect(await arrivals(0, 2, 20)).toHaveLength(20);
    await undoPart();
    expect(await arrivals(0, 1, 20)).toHaveLength(20);
  });

  it('carries large requests over links that are late', async () => {
    const undo = await rig.links.degrade(between([member(0)], [member(1), member(2)]), {
      delayMs: 40,
      jitterMs: 10,
    });
    const value = 'x'.repeat(100_000);
    const start = performance.now();
    await rig.cluster.etcdctl('put', 'large', value, `--endpoints=${rig.endpoints[0]!}`);
    figure('a put of 100 kB over late links', performance.now() - start);
    await undo();
    expect(rig.links.counts?.dropped).toBe(0);
    expect(await rig.cluster.etcdctl('get', 'large', '--print-value-only')).toBe(`${value}\n`);
  });

  it('has another leader while the leader is cut off from its peers', async () => {
    const first = (await rig.leader())!;
    const undo = await begin('the leader cut off from its peers');
    await vi.waitFor(async () => expect(await rig.leader()).not.toBe(first), patience);
    expect(await probes[0]!.ask(first)).toBe('answered');
    expect(await probes[0]!.ask(first, { put: 'k' })).toBe('silence');
    const second = (await rig.leader())!;
    expect(await probes[0]!.ask(second, { put: 'k' })).toBe('answered');
    await undo();
    await rig.cluster.healthy();
  });

  it('has a member unplugged that nobody hears, and that comes back', async () => {
    const undo = await begin('the leader unplugged');
    const silent = async (): Promise<number> =>
      (await probes[0]!.askAll()).filter((each) => each === 'silence').length;
    expect(await silent()).toBe(1);
    await undo();
    await rig.cluster.healthy();
    await vi.waitFor(async () => expect(await silent()).toBe(0), patience);
  });

  it('has one client on the side of the minority, and the others on that of the majority', async () => {
    const undo = await begin('a member alone with the holder', 1);
    const heard = await Promise.all(probes.map((probe) => probe.askAll()));
    const alone = heard[1]!.indexOf('answered');
    for (const [place, answers] of heard.entries()) {
      const expected = answers.map((_, each) =>
        (each === alone) === (place === 1) ? 'answered' : 'silence',
      );
      expect(answers).toEqual(expected);
    }
    await undo();
    await vi.waitFor(async () => expect(await probes[1]!.askAll()).not.toContain('silence'), patience);
    await rig.cluster.healthy();
  });
});
