import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Conclave, connect } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { conclave, type Ended } from './conclave-program.js';

let cluster: Cluster;
let other: Conclave;
let env: Record<string, string>;
/** A name for each test: what one leaves behind by mistake must not help another. */
let name: string;
let tests = 0;

beforeAll(async () => {
  cluster = await Cluster.start();
  env = { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') };
  other = await connect({ endpoints: cluster.endpoints, holder: 'other' });
});
afterAll(async () => {
  await other.close();
  await cluster.dispose();
});
beforeEach(() => {
  name = `test-${++tests}`;
});

function barrier(...args: readonly string[]): Promise<Ended> {
  return conclave(['barrier', ...args], env);
}

describe('conclave barrier', () => {
  it('meets programs of the library, and tells the round', async () => {
    const meeting = other.cyclicBarrier(name, { parties: 2 }).wait();
    const { status, stdout, stderr } = await barrier('meet', name, '--parties', '2', '--json');
    expect([status, stderr]).toEqual([0, '']);
    const { round } = await meeting;
    expect(JSON.parse(stdout)).toMatchObject({ name, round: String(round) });
  });

  it('ends with 75 if not all have come in time, and says how many had', async () => {
    const { status, stderr } = await barrier('meet', name, '--parties', '3', '--timeout', '200ms');
    expect(status).toBe(75);
    expect(stderr).toMatch(/not done within .* 1 of 3 have come/);
  });

  it('counts arrivals at a latch once by id, and waits until all have arrived', async () => {
    const arrive = ['arrive', name, '--count', '2', '--id', 'a'];
    expect((await barrier(...arrive)).stdout).toBe('counted, 1 to come\n');
    expect((await barrier(...arrive)).stdout).toBe('counted before, 1 to come\n');
    expect((await barrier('await', name, '--count', '2', '--timeout', '100ms')).status).toBe(75);
    await other.latch(name, { count: 2 }).arrive();
    expect((await barrier('await', name, '--count', '2')).status).toBe(0);
    expect((await barrier('reset', name, '--count', '2')).status).toBe(0);
    expect(await other.latch(name, { count: 2 }).remaining()).toBe(2);
  });

  it('closes and opens a gate, also one on a raw key', async () => {
    for (const place of [[name], ['--path', `/raw/${name}`]]) {
      expect(await barrier('close', ...place)).toEqual({ status: 0, stdout: '', stderr: '' });
      expect((await barrier('close', ...place)).status).toBe(75);
      expect((await barrier('wait', ...place, '--timeout', '100ms')).status).toBe(75);
      expect((await barrier('open', ...place)).status).toBe(0);
      expect((await barrier('wait', ...place)).status).toBe(0);
    }
  });

  it.each([
    [[], 'what to do is missing'],
    [['greet', 'x'], '"greet" is no action'],
    [['meet', 'x'], 'meet needs --parties'],
    [['meet', 'x', '--parties', '0'], 'not a whole number'],
    [['wait', 'x', '--count', '2'], 'wait has no --count'],
    [['close'], 'a name is missing'],
    [['meet', '', '--parties', '2'], 'non-empty'],
  ])('refuses %j with 64, and says why', async (args, why) => {
    const { status, stderr } = await barrier(...args);
    expect(status).toBe(64);
    expect(stderr).toContain(why);
  });
});
