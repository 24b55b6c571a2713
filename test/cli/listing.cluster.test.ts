import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Conclave, connect, type Hold } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { conclave, type Ended, until } from './conclave-program.js';

let cluster: Cluster;
let nightly: Conclave;
let other: Conclave;
let hold: Hold;
let next: Promise<Hold>;

beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster.dispose());

beforeEach(async () => {
  const endpoints = cluster.endpoints;
  nightly = await connect({ endpoints, holder: 'nightly' });
  other = await connect({ endpoints, holder: 'other' });
  hold = await nightly.mutex('orders/42').acquire();
  next = other.mutex('orders/42').acquire();
  await until(async () => (await nightly.mutex('orders/42').inspect()).waiters.length === 1, 'one waits');
});
afterEach(async () => {
  await hold.release();
  await (await next).release();
  await Promise.all([nightly.close(), other.close()]);
});

function run(...args: string[]): Promise<Ended> {
  return conclave([...args, '--endpoints', cluster.endpoints.join(',')]);
}

function jsonLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

const ticket = (name: string): object => ({
  key: expect.stringMatching(/^conclave\/lock\/orders%2F42\/[0-9a-f]+-1$/) as string,
  fencingToken: expect.stringMatching(/^\d+$/) as string,
  since: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
  holder: { name, host: expect.any(String) as string, pid: process.pid, ns: 'conclave' },
});

it('ls shows who holds what, since when, with which token, and how many wait', async () => {
  const { status, stdout, stderr } = await run('ls');
  expect([status, stderr]).toEqual([0, '']);
  const [header, line, ...rest] = stdout.trimEnd().split('\n');
  expect(header).toMatch(/^KIND +NAME +HOLDER +SINCE +TOKEN +WAITERS$/);
  expect(line).toMatch(/^mutex +orders\/42 +nightly \(.+:\d+\) +\d{4}-\S+Z +\d+ +1$/);
  expect(line).toContain(` ${hold.fencingToken} `);
  expect(rest).toEqual([]);
});

it('ls --json prints an object per line, with large numbers as strings', async () => {
  expect(jsonLines((await run('ls', '--json')).stdout)).toEqual([
    { kind: 'mutex', name: 'orders/42', holders: [ticket('nightly')], waiters: [ticket('other')] },
  ]);
});

it('ls shows nothing of another namespace', async () => {
  expect(await run('ls', '--json', '--namespace', 'elsewhere')).toMatchObject({ status: 0, stdout: '' });
});

it('inspect shows the holder, then who waits, in order', async () => {
  const { status, stdout } = await run('inspect', 'orders/42');
  const lines = stdout.trimEnd().split('\n');
  expect(status).toBe(0);
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['mutex', 'PLACE', 'holds', '1']);
  expect(lines[1]).toMatch(/^PLACE +WHO +SINCE +TOKEN +KEY$/);
  expect(lines[2]).toContain('nightly');
  expect(lines[3]).toContain('other');
});

it('inspect --json prints one object', async () => {
  expect(jsonLines((await run('inspect', 'orders/42', '--json')).stdout)).toEqual([
    {
      kind: 'mutex',
      name: 'orders/42',
      revision: expect.stringMatching(/^\d+$/) as string,
      holders: [ticket('nightly')],
      waiters: [ticket('other')],
    },
  ]);
});

it('inspect finds a line by its raw prefix', async () => {
  const { stdout } = await run('inspect', '--path', 'conclave/lock/orders%2F42', '--json');
  expect(jsonLines(stdout)).toMatchObject([
    { path: 'conclave/lock/orders%2F42', holders: [ticket('nightly')] },
  ]);
});

it('inspect says if a lock is free', async () => {
  expect(await run('inspect', 'unknown')).toMatchObject({ status: 0, stdout: 'free\n' });
  expect(jsonLines((await run('inspect', 'unknown', '--json')).stdout)).toEqual([
    { name: 'unknown', holders: [], waiters: [] },
  ]);
});

describe('with something of every kind', () => {
  const held: Hold[] = [];

  beforeEach(async () => {
    const name = 'orders/42';
    held.push(await nightly.rwLock(name).read.acquire(), await other.rwLock(name).read.acquire());
    await nightly.semaphore(name).resize(3);
    held.push(await nightly.semaphore(name).acquire({ permits: 2 }));
    held.push(await other.election(name).campaign('host-7', { priority: 5 }));
    await nightly.semaphore(name).resize(1);
  });
  afterEach(async () => {
    await Promise.all(held.splice(0).map((each) => each.release()));
  });

  it('ls has a line for each holder, with what it may do', async () => {
    const [header, ...lines] = (await run('ls')).stdout.trimEnd().split('\n');
    expect(header).toMatch(/^KIND +NAME +HOLDER +SINCE +TOKEN +MODE +PERMITS +WAITERS$/);
    expect(lines.map((line) => line.replace(/\(.+\) +\d{4}-\S+Z +\d+/, '').split(/ +/))).toEqual([
      ['mutex', 'orders/42', 'nightly', '1'],
      ['rwlock', 'orders/42', 'nightly', 'read', '0'],
      ['rwlock', 'orders/42', 'other', 'read', '0'],
      ['semaphore', 'orders/42', 'nightly', '2', '0'],
      ['election', 'orders/42', 'other', '0'],
    ]);
  });

  it('ls --kind shows those of one kind', async () => {
    expect(jsonLines((await run('ls', '--kind', 'rwlock', '--json')).stdout)).toMatchObject([
      { kind: 'rwlock', holders: [{ mode: 'read' }, { mode: 'read' }], waiters: [] },
    ]);
    expect(await run('ls', '--kind', 'lock')).toMatchObject({ status: 64, stdout: '' });
  });

  it('inspect shows every kind in which somebody stands under the name', async () => {
    const { stdout } = await run('inspect', 'orders/42');
    expect(stdout.split('\n').filter((line) => !/^(PLACE|holds|1) /.test(line))).toEqual([
      'mutex orders/42',
      'rwlock orders/42',
      'semaphore orders/42: 2 of 1 permits taken, over limit',
      'election orders/42',
      '',
    ]);
    expect(stdout).toMatch(
      /^PLACE +WHO +SINCE +TOKEN +VALUE +PRIORITY +KEY\nholds +other .+ host-7 +5 +conclave/m,
    );
  });

  it('inspect --json prints an object for each kind', async () => {
    expect(jsonLines((await run('inspect', 'orders/42', '--json')).stdout)).toMatchObject([
      { kind: 'mutex', name: 'orders/42' },
      { kind: 'rwlock', holders: [{ mode: 'read' }, { mode: 'read' }] },
      { kind: 'semaphore', limit: 1, used: 2, isOverLimit: true, holders: [{ permits: 2 }], waiters: [] },
      { kind: 'election', holders: [{ value: 'host-7', priority: 5 }], waiters: [] },
    ]);
  });

  it('inspect --kind shows one kind, free or not, by name or by path', async () => {
    const semaphore = await run(
      'inspect',
      '--path',
      'conclave/semaphore/orders%2F42',
      '--kind',
      'semaphore',
      '--json',
    );
    expect(jsonLines(semaphore.stdout)).toMatchObject([{ kind: 'semaphore', limit: 1, used: 2 }]);
    expect((await run('inspect', 'unused', '--kind', 'semaphore')).stdout).toBe(
      'semaphore unused: no limit yet\nfree\n',
    );
  });
});

it('prints a line for a ticket that another program has put', async () => {
  await cluster.etcdctl('put', 'conclave/lock/foreign/694d', '');
  const { stdout } = await run('ls');
  await cluster.etcdctl('del', 'conclave/lock/foreign/694d');
  expect(stdout).toMatch(/mutex +foreign +another program +\d+ +0/);
});
