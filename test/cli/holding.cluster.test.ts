import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../rig/cluster.js';
import { conclave, ConclaveProgram, type Ended, until } from './conclave-program.js';

let cluster: Cluster;
let env: Record<string, string>;
/** A name for each test: what one leaves behind by mistake must not help another. */
let name: string;
let tests = 0;

beforeAll(async () => {
  cluster = await Cluster.start();
  env = { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') };
});
afterAll(() => cluster.dispose());

function test(title: string, body: () => Promise<void>): void {
  it(title, async () => {
    name = `test-${++tests}`;
    await body();
  });
}

function start(...args: readonly string[]): ConclaveProgram {
  return new ConclaveProgram(args, env);
}

function run(...args: readonly string[]): Promise<Ended> {
  return conclave(args, env);
}

/** A command that says so once it runs, and ends when it is fed a line. */
const command = ['--', 'sh', '-c', 'echo ready $CONCLAVE_KEY $CONCLAVE_FENCING_TOKEN; read line; exit 7'];

async function keysOf(folder: string): Promise<string[]> {
  const output = await cluster.etcdctl('get', '--prefix', '--keys-only', `conclave/${folder}/`);
  return output.split('\n').filter((key) => key.includes(`/${name}/`));
}

async function revokeLeaseOf(key: string): Promise<void> {
  await cluster.etcdctl('lease', 'revoke', /([0-9a-f]+)-\d+$/.exec(key)![1]!);
}

describe('conclave rwlock', () => {
  test('lets readers in together, and ends with the status of the command', async () => {
    await using one = start('rwlock', name, '--read', ...command);
    await using two = start('rwlock', name, '--read', ...command);
    await Promise.all([one.printed('ready'), two.printed('ready')]);
    const writer = await run('rwlock', name, '--write', '--try', '--', 'echo', 'ran');
    expect(writer).toMatchObject({ status: 75, stdout: '' });
    expect(writer.stderr).toMatch(
      new RegExp(`^conclave: "${name}" is taken by \\S+ since \\S+, and by 1 more\n$`),
    );
    expect([(await one.feed('\n').ended).status, (await two.feed('\n').ended).status]).toEqual([7, 7]);
    expect(await keysOf('rw')).toEqual([]);
  });

  test('keeps everybody else out while it writes', async () => {
    await using writer = start('rwlock', name, '--write', ...command);
    await writer.printed('ready');
    for (const mode of ['--read', '--write'])
      expect((await run('rwlock', name, mode, '--try', '--', 'echo', 'ran')).status).toBe(75);
    await using reader = start('rwlock', name, '--read', '--timeout', '20s', '--', 'echo', 'my turn');
    await until(async () => (await keysOf('rw')).length === 2, 'the reader stands in line');
    writer.feed('\n');
    expect(await reader.ended).toMatchObject({ status: 0, stdout: 'my turn\n' });
  });

  test('kills the command when its lease is revoked', async () => {
    await using reader = start('rwlock', name, '--read', ...command);
    await reader.printed('ready');
    await revokeLeaseOf((await keysOf('rw'))[0]!);
    const { status, stderr } = await reader.ended;
    expect(status).toBe(76);
    expect(stderr).toContain('conclave: the lock is lost: SIGKILL to sh');
  });
});

describe('conclave semaphore', () => {
  test('lets in as many as there are permits; the next one when some are given back', async () => {
    const args = [name, '--limit', '3'];
    await using one = start('semaphore', ...args, '--permits', '2', ...command);
    await one.printed('ready');
    await using two = start('semaphore', ...args, ...command);
    await two.printed('ready');
    const refused = await run('semaphore', ...args, '--try', '--', 'echo', 'ran');
    expect(refused).toMatchObject({ status: 75, stdout: '' });
    expect(refused.stderr).toContain(`"${name}" is taken by`);
    await using three = start('semaphore', ...args, '--timeout', '20s', '--', 'echo', 'my turn');
    await until(async () => (await keysOf('semaphore')).length === 4, 'the third stands in line');
    expect((await two.feed('\n').ended).status).toBe(7);
    expect(await three.ended).toMatchObject({ status: 0, stdout: 'my turn\n' });
  });

  test('--resize changes how many there are, for those who wait, too', async () => {
    expect(await run('semaphore', name, '--resize', '1')).toEqual({ status: 0, stdout: '', stderr: '' });
    await using one = start('semaphore', name, ...command);
    await one.printed('ready');
    await using two = start('semaphore', name, '--timeout', '20s', '--', 'echo', 'my turn');
    await until(
      async () => (await keysOf('semaphore')).filter((key) => key.includes('/t/')).length === 2,
      'waits',
    );
    expect((await run('semaphore', name, '--resize', '2')).status).toBe(0);
    expect(await two.ended).toMatchObject({ status: 0, stdout: 'my turn\n' });
    expect(one.child.exitCode).toBeNull();
  });

  test('ends with 64 if the limit is another one, or none, or smaller than what is wanted', async () => {
    const refusals = [
      [[], 'has no limit yet'],
      [['--limit', '2'], undefined],
      [['--limit', '3'], 'the stored limit is 2, this program names 3'],
      [['--permits', '3'], '3 permits are wanted'],
    ] as const;
    for (const [options, why] of refusals) {
      const { status, stderr } = await run('semaphore', name, ...options, '--', 'true');
      expect([options, status]).toEqual([options, why === undefined ? 0 : 64]);
      expect(stderr).toContain(why ?? '');
    }
  });

  test('kills the command when its permits are gone', async () => {
    await using one = start('semaphore', name, '--limit', '1', ...command);
    await one.printed('ready');
    await revokeLeaseOf((await keysOf('semaphore')).find((key) => key.includes('/t/'))!);
    const { status, stderr } = await one.ended;
    expect(status).toBe(76);
    expect(stderr).toContain('conclave: the permit is lost: SIGKILL to sh');
  });
});

describe('conclave lock with several names', () => {
  test('takes all or nothing, and gives all back', async () => {
    const [a, b, c] = [`${name}/a`, `${name}/b`, `${name}/c`];
    await using both = start('lock', a, b, ...command);
    await both.printed('ready');
    const other = await run('lock', c, b, '--try', '--', 'echo', 'ran');
    expect(other).toMatchObject({ status: 75, stdout: '' });
    expect(other.stderr).toContain(`"${c}, ${b}" is taken by`);
    expect((await run('lock', c, '--try', '--', 'echo', 'ran')).stdout).toBe('ran\n');
    expect((await run('lock', a, '--try', '--', 'echo', 'ran')).status).toBe(75);
    expect((await both.feed('\n').ended).status).toBe(7);
    expect((await run('lock', a, b, c, '--try', '--', 'echo', 'ran')).stdout).toBe('ran\n');
  });
});
