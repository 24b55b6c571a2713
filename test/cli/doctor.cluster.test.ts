import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Cluster } from '../rig/cluster.js';
import { conclave } from './conclave-program.js';

interface Line {
  readonly check: string;
  readonly verdict: string;
  readonly text: string;
}

const silentEndpoint = 'http://127.0.0.1:9';
let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster.dispose());

async function doctor(...args: string[]): Promise<{ status: number | null; lines: Line[]; stderr: string }> {
  const { status, stdout, stderr } = await conclave(['doctor', '--json', ...args]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { status, stderr, lines: lines.map((line) => JSON.parse(line) as Line) };
}

const of = (lines: readonly Line[], check: string): string[] =>
  lines.filter((line) => line.check === check).map(({ verdict }) => verdict);

describe('doctor', () => {
  it('looks at everything, finds no problem, and leaves no key', async () => {
    const { status, lines, stderr } = await doctor('--endpoints', cluster.endpoints.join(','));
    expect([status, stderr]).toEqual([0, '']);
    expect(of(lines, 'endpoints')).toEqual(['note', 'ok']);
    expect(of(lines, 'version').length).toBeGreaterThan(0);
    expect(of(lines, 'members'), 'one member').toEqual(['warning']);
    for (const check of ['space', 'permissions', 'delays', 'ttl'])
      expect(of(lines, check), check).toEqual(['ok']);
    expect([of(lines, 'history'), of(lines, 'clocks')]).toEqual([['note'], ['note']]);
    expect(await cluster.etcdctl('get', '', '--prefix', '--keys-only')).toBe('');
    expect(await cluster.etcdctl('lease', 'list')).toContain('found 0 leases');
  });

  it('prints a line for each check', async () => {
    const { status, stdout } = await conclave(['doctor', '--endpoints', cluster.endpoints.join(',')]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^warning {2}members {6}1 member with a vote: when one is down/m);
    expect(stdout).toMatch(/^ok {7}permissions {2}put, get, watch and delete below conclave\/ work/m);
  });

  it('sees what was compacted, and a TTL that is too short', async () => {
    await cluster.etcdctl('put', 'a', '1');
    await cluster.etcdctl('put', 'a', '2');
    await cluster.etcdctl('compact', '3');
    const { lines } = await doctor('--ttl', '3s', '--endpoints', cluster.endpoints.join(','));
    expect(of(lines, 'ttl'), 'a leader change takes longer').toEqual(['warning']);
    expect(lines.find(({ check }) => check === 'history')).toMatchObject({
      verdict: 'ok',
      text: expect.stringContaining('those before 3 were compacted') as string,
    });
  });

  it('ends with 1 when an address is dead, and 69 when all are', async () => {
    const some = await doctor('--endpoints', `${cluster.endpoints.join(',')},${silentEndpoint}`);
    expect(some.status).toBe(1);
    expect(of(some.lines, 'endpoints')).toEqual(['problem']);
    const none = await doctor('--endpoints', silentEndpoint);
    expect([none.status, none.lines]).toEqual([69, []]);
  }, 40_000);

  it('takes no name, and no TTL without a unit', async () => {
    expect((await conclave(['doctor', 'x'])).status).toBe(64);
    expect((await conclave(['doctor', '--ttl', '15'])).status).toBe(64);
  });
});

describe('doctor for a user', () => {
  it('tells what the user may not do, and whether it may do too much', async () => {
    await using guarded = await Cluster.start();
    await guarded.etcdctl('user', 'add', 'root:secret');
    await guarded.etcdctl('user', 'grant-role', 'root', 'root');
    const grants: readonly (readonly [user: string, access: string, ...range: string[]])[] = [
      ['good', 'readwrite', '--prefix=true', 'conclave/'],
      ['reader', 'read', '--prefix=true', 'conclave/'],
      ['mighty', 'readwrite', '--prefix=true', ''],
    ];
    for (const [user, access, ...range] of grants) {
      await guarded.etcdctl('user', 'add', `${user}:pw`);
      await guarded.etcdctl('role', 'add', user);
      await guarded.etcdctl('role', 'grant-permission', user, access, ...range);
      await guarded.etcdctl('user', 'grant-role', user, user);
    }
    await guarded.etcdctl('auth', 'enable');
    const permissions = async (user: string): Promise<Line | undefined> => {
      const login = ['--username', user, '--endpoints', guarded.endpoints.join(',')];
      const { stdout, stderr } = await conclave(['doctor', '--json', ...login], { CONCLAVE_PASSWORD: 'pw' });
      expect(stderr).toBe('');
      const lines = stdout.trimEnd().split('\n');
      return lines.map((line) => JSON.parse(line) as Line).find(({ check }) => check === 'permissions');
    };
    expect(await permissions('good')).toMatchObject({
      verdict: 'ok',
      text: expect.stringContaining('reads nothing else') as string,
    });
    expect(await permissions('reader')).toMatchObject({
      verdict: 'problem',
      text: 'this user may not put, delete below conclave/',
    });
    expect(await permissions('mighty')).toMatchObject({
      verdict: 'warning',
      text: expect.stringContaining('read all other keys') as string,
    });
  }, 60_000);
});
