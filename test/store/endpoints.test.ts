import { describe, expect, it } from 'vitest';
import { Endpoints } from '../../src/store/endpoints.js';
import { ManualRuntime } from './manual-runtime.js';

describe('endpoints', () => {
  it('need at least one', () => {
    expect(() => new Endpoints(new ManualRuntime(), [])).toThrow(TypeError);
  });

  it('are chosen by chance at first, to spread the clients', () => {
    const runtime = new ManualRuntime();
    const first = [0, 0.34, 0.999].map((chance) => {
      runtime.chance = chance;
      return new Endpoints(runtime, ['a', 'b', 'c']).pick();
    });
    expect(first).toEqual(['a', 'b', 'c']);
  });

  it('pass over one that failed, longer each time in a row, and return to it after a success', async () => {
    const runtime = new ManualRuntime();
    const endpoints = new Endpoints(runtime, ['a', 'b']);
    endpoints.failed('a');
    expect(endpoints.pick()).toBe('b');
    await runtime.advance(400);
    endpoints.failed('b');
    expect(endpoints.pick(), 'whose penalty ends first').toBe('a');
    endpoints.failed('a');
    expect(endpoints.pick(), '1 s for the second failure').toBe('b');
    endpoints.succeeded('a');
    endpoints.failed('b');
    expect(endpoints.pick()).toBe('a');
  });

  it('do not pass over one for more than 10 s, however often it failed', async () => {
    const runtime = new ManualRuntime();
    const endpoints = new Endpoints(runtime, ['a', 'b']);
    for (let i = 0; i < 5_000; i++) endpoints.failed('a');
    expect(endpoints.pick()).toBe('b');
    await runtime.advance(10_000);
    endpoints.failed('b');
    expect(endpoints.pick()).toBe('a');
  });

  it('forget the failures of one that has answered since', async () => {
    const runtime = new ManualRuntime();
    const endpoints = new Endpoints(runtime, ['a', 'b']);
    for (let i = 0; i < 5; i++) endpoints.failed('a');
    endpoints.succeeded('a');
    endpoints.failed('a');
    expect(endpoints.pick()).toBe('b');
    await runtime.advance(500);
    endpoints.failed('b');
    expect(endpoints.pick()).toBe('a');
  });

  it('ignore what they do not know', () => {
    const endpoints = new Endpoints(new ManualRuntime(), ['a']);
    endpoints.failed('elsewhere');
    endpoints.succeeded('elsewhere');
    expect(endpoints.pick()).toBe('a');
  });

  it('know whose raft term is behind the highest seen', () => {
    const endpoints = new Endpoints(new ManualRuntime(), ['a']);
    expect([3n, 3n, 2n, 4n, 3n].map((term) => endpoints.sawTerm(term))).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
  });
});
