import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { Random } from '../../../src/testing/random.js';
import { figure } from '../../rig/figure.js';
import { patience } from '../../rig/patience.js';
import { nemesisNamed } from '../nemesis/nemeses.js';
import { callGateway, putByGateway, revisionByGateway } from './gateway.js';
import type { Undo } from './links.js';
import { between, client, from, member } from './node.js';
import { Probe } from './probe.js';
import { Rig } from './rig.js';
import { lacks, type Tool } from './tools.js';

describe('a cluster and clients on loopback', () => {
  let rig: Rig;
  let probes: Probe[];
  beforeAll(async () => {
    rig = await Rig.start({ tier: 'loopback', clients: 2 });
    probes = await Promise.all([0, 1].map((place) => Probe.start(rig, place)));
  });
  afterEach(() => rig.heal());
  afterAll(() => rig[Symbol.asyncDispose]());

  const begin = (name: string): Promise<Undo> =>
    nemesisNamed(name).begin({ rig, holder: () => 0, revive }, new Random(7));

  async function revive(place: number): Promise<void> {
    probes[place] = await Probe.start(rig, place);
  }

  /** Of the members, for the clients: how many answer. */
  const heard = async (place: number): Promise<number> =>
    (await probes[place]!.askAll()).filter((each) => each === 'answered').length;

  it('has a client that hears nobody while another one hears everybody', async () => {
    const undo = await begin('the holder cut off from all members');
    expect(await probes[0]!.askAll()).toEqual(['silence', 'silence', 'silence']);
    expect(await heard(1)).toBe(3);
    await undo();
    expect(await heard(0)).toBe(3);
  });

  it('has a client whose requests are done and not answered, or neither', async () => {
    const written = (): Promise<string> => rig.cluster.etcdctl('get', '--prefix', '--keys-only', 'deaf/');
    const deaf = await rig.links.cut(from([member(0)], [client(0)]));
    expect(await probes[0]!.ask(0, { put: 'deaf/1' })).toBe('silence');
    expect(await probes[0]!.ask(1)).toBe('answered');
    expect((await written()).trim()).toBe('deaf/1');
    await deaf();
    const unheard = await rig.links.cut(from([client(0)], [member(0)]));
    expect(await probes[0]!.ask(0, { put: 'deaf/2' })).toBe('silence');
    expect((await written()).trim()).toBe('deaf/1');
    await unheard();
    expect(await heard(0)).toBe(3);
  });

  it('resets connections whose responses it lost', async () => {
    const undo = await rig.links.loseResponses(from([member(0)], [client(0)]), 50);
    expect(await probes[0]!.ask(0, { put: 'lost' })).toBe('cut');
    expect(await rig.cluster.etcdctl('get', 'lost', '--keys-only')).toBe('lost\n\n');
    await undo();
    expect(await heard(0)).toBe(3);
  });

  it('cannot disturb members among themselves, says so, and is not left half disturbed', async () => {
    await expect(rig.links.cut(between([member(0)], [member(1)]))).rejects.toThrow('needs the netns tier');
    const undo = await rig.links.cut(between([member(0)], [client(1)]));
    expect(await heard(1)).toBe(2);
    await undo();
    expect(await heard(1)).toBe(3);
  });

  it.each(['the leader killed', 'the leader stopped', 'the leader frozen'])(
    'has another leader, and the old one is back in the end: %s',
    async (name) => {
      skipWithout(name.endsWith('frozen') ? 'freezer' : undefined);
      const first = (await rig.leader())!;
      const undo = await begin(name);
      await vi.waitFor(async () => {
        const second = await rig.leader();
        expect(second).toBeDefined();
        expect(second).not.toBe(first);
      }, patience);
      expect(await probes[0]!.ask(first)).not.toBe('answered');
      await undo();
      await undo();
      await rig.cluster.healthy();
      await vi.waitFor(async () => expect(await heard(0)).toBe(3), patience);
    },
  );

  it('keeps what was written when all members are killed', async () => {
    await rig.cluster.etcdctl('put', 'kept', 'value');
    const undo = await begin('all members killed');
    expect(await heard(0)).toBe(0);
    await undo();
    expect(await rig.cluster.etcdctl('get', 'kept', '--print-value-only')).toBe('value\n');
  });

  it.each(['the holder stopped', 'the holder frozen'])(
    'has a client that stands still, and goes on: %s',
    async (name) => {
      skipWithout(name.endsWith('frozen') ? 'freezer' : undefined);
      const undo = await begin(name);
      expect(await probes[0]!.isBeating()).toBe(false);
      expect(await probes[1]!.isBeating()).toBe(true);
      await undo();
      await vi.waitFor(async () => expect(await probes[0]!.isBeating()).toBe(true), patience);
    },
  );

  it('has a client that is killed while it is frozen, once it is thawed', async () => {
    skipWithout('freezer');
    const undo = await rig.freezeClient(0);
    const killed = rig.client(0)!.kill();
    await undo();
    await killed;
    await revive(0);
    expect(await heard(0)).toBe(3);
  });

  it('has another client in the place of the one that was killed', async () => {
    const { pid } = rig.client(0)!;
    const undo = await begin('the holder killed');
    expect(rig.client(0)).toBeUndefined();
    await undo();
    expect(rig.client(0)?.pid).not.toBe(pid);
    expect(await heard(0)).toBe(3);
  });

  it('forgets its history, once or all the time', async () => {
    const isForgotten = async (revision: number): Promise<void> => {
      const asked = callGateway(rig.endpoints[0]!, 'kv/range', { key: 'AA==', revision });
      await expect(asked).rejects.toThrow('compacted');
    };
    const before = await revisionByGateway(rig.endpoints[0]!);
    await rig.cluster.etcdctl('put', 'k', '1');
    await (
      await begin('history compacted')
    )();
    await isForgotten(before);
    const storm = await begin('history compacted all the time');
    const between = await revisionByGateway(rig.endpoints[0]!);
    await rig.cluster.etcdctl('put', 'k', '2');
    await vi.waitFor(() => isForgotten(between), patience);
    await storm();
    const after = await revisionByGateway(rig.endpoints[0]!);
    await rig.cluster.etcdctl('put', 'k', '3');
    await callGateway(rig.endpoints[0]!, 'kv/range', { key: 'AA==', revision: after });
  });

  it('defragments a member', async () => {
    await (
      await begin('a member defragmented')
    )();
    expect(await heard(0)).toBe(3);
  });

  it('takes no puts while it is out of space, and takes them again', async () => {
    const put = (): Promise<string> => rig.cluster.etcdctl('put', 'k', 'v');
    const undo = await begin('out of space');
    await expect(put()).rejects.toThrow('database space exceeded');
    expect(await rig.cluster.etcdctl('del', 'k')).toMatch(/^[01]\n$/);
    await undo();
    expect(await put()).toBe('OK\n');
  });

  it('has a leader that gets hardly anything done', async () => {
    skipWithout('cpu quota');
    const undo = await begin('the leader without a processor');
    const times: number[] = [];
    for (let i = 0; i < 10; i++) {
      const start = performance.now();
      await putByGateway(rig.endpoints[0]!, 'slow', 'v', 20_000);
      times.push(Math.round(performance.now() - start));
    }
    figure('puts with a leader at 1 % of a core', `${times.join(', ')} ms`);
    expect(Math.max(...times)).toBeGreaterThan(80);
    await undo();
    await rig.cluster.healthy();
  });

  let skip: (reason: string) => void;
  beforeEach((context) => {
    skip = (reason) => context.skip(reason);
  });
  function skipWithout(tool: Tool | undefined): void {
    const reason = tool && lacks(tool);
    if (reason !== undefined) skip(reason);
  }
});
