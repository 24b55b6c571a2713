import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { Random } from '../../../src/testing/random.js';
import { figure } from '../../rig/figure.js';
import { patience } from '../../rig/patience.js';
import { nemesisNamed } from '../nemesis/nemeses.js';
import { callGateway, putByGateway } from './gateway.js';
import type { Undo } from './links.js';
import { Rig } from './rig.js';
import { skipIf } from './skip.js';
import { lacks } from './tools.js';

const lacking = lacks('strace');

describe('a cluster that writes to its disks', () => {
  let rig: Rig;
  beforeAll(async () => {
    if (lacking === undefined) rig = await Rig.start({ tier: 'loopback', clients: 0, fsync: true });
  });
  beforeEach(skipIf(lacking));
  afterAll(async () => {
    if (lacking === undefined) await rig[Symbol.asyncDispose]();
  });

  const begin = (name: string): Promise<Undo> => nemesisNamed(name).begin({ rig }, new Random(1));

  async function putMs(): Promise<number> {
    const start = performance.now();
    await putByGateway(rig.endpoints[0]!, 'k', 'v', 20_000);
    return performance.now() - start;
  }

  it('is slow while the disk of the leader is, and keeps its leader', async () => {
    const leader = await rig.leader();
    const before = await putMs();
    const undo = await begin('the disk of the leader slow');
    const slow = [await putMs(), await putMs(), await putMs()];
    expect(await rig.leader()).toBe(leader);
    await undo();
    const after = await Promise.all([putMs(), putMs(), putMs()]);
    const round = (times: number[]): string => times.map((each) => Math.round(each)).join(', ');
    figure('puts before, on and after a slow disk', `${round([before])}; ${round(slow)}; ${round(after)} ms`);
    expect(Math.min(...slow)).toBeGreaterThanOrEqual(200);
  });

  it('revokes leases that are renewed without a gap, when the disk of a leader has stalled', async () => {
    const stalled = (await rig.leader())!;
    const others = rig.endpoints.filter((_, member) => member !== stalled);
    const lease = await callGateway(others[0]!, 'lease/grant', { TTL: '5' });
    const ID = lease['ID'] as string;
    await callGateway(others[0]!, 'kv/put', { key: 'bGVhc2Vk', value: '', lease: ID });

    const undo = await begin('the disk of the leader stalled');
    const begun = performance.now();
    const undone = undo().then(() => performance.now());
    let renewedAt = performance.now();
    let longestGapMs = 0;
    let isAlive = true;
    while (isAlive && performance.now() - begun < 20_000) {
      const askedAt = performance.now();
      const ttl = await firstOf(others, (endpoint) => renew(endpoint, ID));
      isAlive = ttl !== 0;
      if (ttl !== undefined && ttl > 0) {
        longestGapMs = Math.max(longestGapMs, askedAt - renewedAt);
        renewedAt = askedAt;
      }
      await delay(200);
    }
    const lostAfterMs = performance.now() - renewedAt;
    const left = await callGateway(others[0]!, 'kv/range', { key: 'bGVhc2Vk' });
    figure(
      'a lease of 5 s, renewed through followers while the disk of the leader stalls',
      `longest gap ${Math.round(longestGapMs)} ms; gone ${Math.round(lostAfterMs)} ms after it had been renewed, ` +
        `${Math.round(performance.now() - (await undone))} ms after the disk went on`,
    );
    expect(await rig.leader()).not.toBe(stalled);
    expect(longestGapMs).toBeLessThan(4_000);
    expect(isAlive).toBe(false);
    expect(left['kvs']).toBeUndefined();
    await rig.cluster.healthy();
    await vi.waitFor(async () => expect(await putMs()).toBeLessThan(200), patience);
  });
});

/** The TTL that a lease has again; 0 if there is none, nothing if nobody knows at the moment. */
async function renew(endpoint: string, ID: string): Promise<number | undefined> {
  const { result, error } = (await callGateway(endpoint, 'lease/keepalive', { ID }, 1_000)) as {
    result?: { TTL?: string };
    error?: unknown;
  };
  if (error !== undefined || result === undefined) return undefined;
  return Number(result.TTL ?? 0);
}

async function firstOf<T>(
  endpoints: readonly string[],
  ask: (endpoint: string) => Promise<T>,
): Promise<T | undefined> {
  const answers = await Promise.all(endpoints.map((each) => ask(each).catch(() => undefined)));
  return answers.find((each) => each !== undefined);
}
