import { describe, expect, it } from 'vitest';
import type { Conclave, Place } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';

const kinds: readonly (readonly [string, (client: Conclave, place: Place) => unknown])[] = [
  ['gate', (client, place) => client.gate(place)],
  ['latch', (client, place) => client.latch(place, { count: 2 })],
  ['doubleBarrier', (client, place) => client.doubleBarrier(place, { parties: 2 })],
  ['cyclicBarrier', (client, place) => client.cyclicBarrier(place, { parties: 2 })],
];

describe('before anything is sent', () => {
  it.each(kinds)('%s refuses bad names', async (_, make) => {
    await using world = await World.open();
    const client = await world.client();
    for (const place of ['', '\ud800', { path: '' }, { path: '\ud800' }, { path: 5 }, null, undefined, 5, {}])
      expect(() => make(client, place as Place)).toThrow(TypeError);
    expect(() => make(client, 'x'.repeat(513))).toThrow(RangeError);
    expect(world.calls(client)).toEqual([]);
  });

  it.each([0, -1, 1.5, NaN, Infinity, 1_001])('%j is no number of parties', async (parties) => {
    await using world = await World.open();
    const client = await world.client();
    expect(() => client.doubleBarrier('b', { parties })).toThrow(RangeError);
    expect(() => client.cyclicBarrier('b', { parties })).toThrow(RangeError);
    if (parties !== 1_001) expect(() => client.latch('l', { count: parties })).toThrow(RangeError);
    for (const text of [String(parties), null, undefined] as never[]) {
      expect(() => client.doubleBarrier('b', { parties: text })).toThrow(TypeError);
      expect(() => client.cyclicBarrier('b', { parties: text })).toThrow(TypeError);
      expect(() => client.latch('l', { count: text })).toThrow(TypeError);
    }
  });

  it.each([undefined, null, { count: 2, parties: 2 }, { size: 3 }])('%j are no options', async (options) => {
    await using world = await World.open();
    const client = await world.client();
    expect(() => client.doubleBarrier('b', options as never)).toThrow(TypeError);
    expect(() => client.cyclicBarrier('b', options as never)).toThrow(TypeError);
    expect(() => client.latch('l', options as never)).toThrow(TypeError);
  });

  it('waits refuse times and signals that are none', async () => {
    await using world = await World.open();
    const client = await world.client();
    const waits = [
      (options: object) => client.gate('g').wait(options),
      (options: object) => client.latch('l', { count: 2 }).wait(options),
      (options: object) => client.doubleBarrier('b', { parties: 2 }).enter(options),
      (options: object) => client.doubleBarrier('b', { parties: 2 }).run(() => {}, options),
      (options: object) => client.cyclicBarrier('b', { parties: 2 }).wait(options),
    ];
    for (const wait of waits) {
      for (const timeoutMs of [NaN, -1, 2 ** 31])
        expect(await outcome(wait({ timeoutMs }))).toBeInstanceOf(RangeError);
      for (const bad of [{ timeoutMs: '5' }, { timeoutMs: null }, { signal: 5 }, { timeout: 5 }, null])
        expect(await outcome(wait(bad as object))).toBeInstanceOf(TypeError);
      const reason = new Error('enough');
      expect(await outcome(wait({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    }
    expect(world.calls(client)).toEqual([]);
  });

  it('everything else refuses what it cannot use', async () => {
    await using world = await World.open();
    const client = await world.client();
    const latch = client.latch('l', { count: 2 });
    const double = client.doubleBarrier('b', { parties: 2 });
    const cyclic = client.cyclicBarrier('b', { parties: 2 });
    const calls: Promise<unknown>[] = [
      client.gate('g').close({ whileAlive: 'yes' } as never),
      client.gate('g').close({ leased: true } as never),
      client.gate('g').close(null as never),
      latch.arrive(''),
      latch.arrive(5 as never),
      latch.arrive(null as never),
      latch.arrive('\ud800'),
      double.run('work' as never),
      latch.observe({ timeoutMs: 5 } as never).next(),
      double.observe({ timeoutMs: 5 } as never).next(),
      cyclic.observe(null as never).next(),
    ];
    for (const call of calls.map(outcome)) expect(await call).toBeInstanceOf(TypeError);
    expect(await outcome(latch.arrive('x'.repeat(513)))).toBeInstanceOf(RangeError);
    expect(world.calls(client)).toEqual([]);
  });

  it('a pass refuses bad options to leave, and is still inside then', async () => {
    await using world = await World.open();
    const pass = await (await world.client()).doubleBarrier('b', { parties: 1 }).enter();
    expect(await outcome(pass.leave({ timeoutMs: NaN }))).toBeInstanceOf(RangeError);
    expect(await outcome(pass.leave({ timeout: 5 } as never))).toBeInstanceOf(TypeError);
    expect(await outcome(pass.leave(null as never))).toBeInstanceOf(TypeError);
    expect(pass.signal.aborted).toBe(false);
    await pass.leave();
  });
});
