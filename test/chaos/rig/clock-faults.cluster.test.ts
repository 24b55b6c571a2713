import { beforeEach, expect, it } from 'vitest';
import { Cluster } from '../../rig/cluster.js';
import { figure } from '../../rig/figure.js';
import { callGateway } from './gateway.js';
import { MemberClocks } from './member-clock.js';
import { skipIf } from './skip.js';
import { lacks } from './tools.js';

beforeEach(skipIf(lacks('gcc')));

it('a lease of a minute ends as soon as the clock of its member is put ahead by a minute', async () => {
  using clocks = new MemberClocks(1);
  await using cluster = await Cluster.start({ enter: clocks.enter });
  const [endpoint = ''] = cluster.endpoints;
  const { ID } = await callGateway(endpoint, 'lease/grant', { TTL: 60 });
  const isThere = async (): Promise<boolean> =>
    Number((await callGateway(endpoint, 'lease/timetolive', { ID }))['TTL'] ?? 0) > 0;
  expect(await isThere()).toBe(true);
  const startedAt = performance.now();
  clocks.set(0, { aheadMs: 60_000 });
  while ((await isThere()) && performance.now() < startedAt + 50_000);
  figure('a lease of 60 s ended after', `${Math.round(performance.now() - startedAt)} ms`);
  expect(await isThere()).toBe(false);
});
