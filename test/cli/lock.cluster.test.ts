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

function lock(options: readonly string[], ...command: readonly string[]): ConclaveProgram {
  const rest = command.length > 0 ? ['--', ...command] : [];
  return new ConclaveProgram(['lock', name, ...options, ...rest], env);
}

function run(options: readonly string[], ...command: readonly string[]): Promise<Ended> {
  return lock(options, ...command).feed().ended;
}

async function keysOf(line = `conclave/lock/${name}/`): Promise<string[]> {
  const output = await cluster.etcdctl('get', '--prefix', '--keys-only', line);
  return output.split('\n').filter(Boolean);
}

/** Far below any TTL used here but the shortest possible one: released, not run out. */
async function expectFreeSoon(): Promise<void> {
  expect(await keysOf()).toEqual([]);
}

describe('conclave lock', () => {
  function test(title: string, body: () => Promise<void>): void {
    it(title, async () => {
      name = `test-${++tests}`;
      await body();
    });
  }

  test('ends with the status of the command, and leaves nothing behind', async () => {
    expect(await run([], 'sh', '-c', 'exit 7')).toMatchObject({ status: 7, stderr: '' });
    expect(await run([], 'true')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(await keysOf('')).toEqual([]);
    expect(await cluster.etcdctl('lease', 'list')).toContain('found 0 leases');
  });

  test('ends with 128 + n if signal n has ended the command', async () => {
    expect((await run([], 'sh', '-c', 'kill -9 $$')).status).toBe(137);
    await expectFreeSoon();
  });

  test('hands stdin, stdout and stderr to the command', async () => {
    const program = lock([], 'sh', '-c', 'cat; echo oops >&2').feed('one\ntwo\n');
    expect(await program.ended).toEqual({ status: 0, stdout: 'one\ntwo\n', stderr: 'oops\n' });
  });

  test('tells the command its key and a token that grows', async () => {
    const script = 'echo $CONCLAVE_KEY $CONCLAVE_FENCING_TOKEN';
    const [first, second] = [await run([], 'sh', '-c', script), await run([], 'sh', '-c', script)];
    expect(first.stdout).toMatch(new RegExp(`^conclave/lock/${name}/[0-9a-f]+-1 \\d+\n$`));
    const token = (ended: Ended): bigint => BigInt(ended.stdout.trim().split(' ')[1]!);
    expect(token(second)).toBeGreaterThan(token(first));
  });

  test('holds the lock while the command runs', async () => {
    await using holder = lock([], 'sh', '-c', 'echo ready; read line; echo done');
    await holder.printed('ready');
    const taken = await run(['--try'], 'echo', 'ran');
    expect(taken).toMatchObject({ status: 75, stdout: '' });
    expect(taken.stderr).toContain(`conclave: "${name}" is taken by`);
    holder.feed('\n');
    expect((await holder.ended).status).toBe(0);
    expect(await run(['--try'], 'echo', 'ran')).toMatchObject({ status: 0, stdout: 'ran\n' });
  });

  test('gives up after --timeout, names the holder, and leaves the line', async () => {
    await using holder = lock([], 'sh', '-c', 'echo ready; read line');
    await holder.printed('ready');
    const late = await run(['--timeout', '300ms'], 'echo', 'ran');
    expect(late).toMatchObject({ status: 75, stdout: '' });
    expect(late.stderr).toMatch(/^conclave: mutex .* not done within 3\d\d ms; held by .*pid \d+.*\n$/);
    expect(await keysOf()).toHaveLength(1);
  });

  test('waits its turn', async () => {
    await using holder = lock([], 'sh', '-c', 'echo ready; read line');
    await holder.printed('ready');
    await using next = lock(['--timeout', '20s'], 'echo', 'my turn');
    await until(async () => (await keysOf()).length === 2, 'the next one stands in line');
    holder.feed('\n');
    expect(await next.ended).toMatchObject({ status: 0, stdout: 'my turn\n' });
  });

  test('passes signals on to the command, whose status counts, and releases at once', async () => {
    const script = 'trap "echo asked to stop; exit 9" TERM; echo ready; while :; do sleep 0.05; done';
    await using program = lock(['--ttl', '60s'], 'sh', '-c', script);
    await program.printed('ready');
    program.child.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ status: 9, stdout: 'ready\nasked to stop\n' });
    await expectFreeSoon();
  });

  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const) {
    test(`passes ${signal} on`, async () => {
      const script = `trap "exit 9" ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
      await using program = lock(['--ttl', '60s'], 'sh', '-c', script);
      await program.printed('ready');
      program.child.kill(signal);
      expect((await program.ended).status).toBe(9);
      await expectFreeSoon();
    });
  }

  test('leaves the line at once when a signal comes while it waits', async () => {
    await using holder = lock([], 'sh', '-c', 'echo ready; read line');
    await holder.printed('ready');
    await using waiter = lock(['--ttl', '60s'], 'echo', 'ran');
    await until(async () => (await keysOf()).length === 2, 'it stands in line');
    waiter.child.kill('SIGINT');
    expect(await waiter.ended).toMatchObject({ status: 130, stdout: '', stderr: '' });
    expect(await keysOf()).toHaveLength(1);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`without a command holds until ${signal}, even with stdin closed`, async () => {
      await using program = lock(['--ttl', '60s']).feed();
      await program.printed('token');
      const [key] = await keysOf();
      expect(program.stdout).toMatch(new RegExp(`^key    ${key!}\ntoken  \\d+\n$`));
      program.child.kill(signal);
      expect((await program.ended).status).toBe(0);
      await expectFreeSoon();
    });
  }

  test('without a command prints JSON if asked to', async () => {
    await using program = lock(['--json']);
    await program.printed('}');
    const printed = JSON.parse(program.stdout) as Record<string, unknown>;
    expect(printed).toEqual({
      key: (await keysOf())[0],
      fencingToken: expect.stringMatching(/^\d+$/) as string,
    });
  });

  test('takes a raw prefix, as programs in Go do', async () => {
    await using program = new ConclaveProgram(['lock', '--path', `/raw/${name}`], env);
    await program.printed('token');
    expect(await keysOf(`/raw/${name}/`)).toHaveLength(1);
  });

  test('keeps namespaces apart', async () => {
    await using holder = lock([]);
    await holder.printed('token');
    expect((await run(['--namespace', 'other', '--try'], 'echo', 'ran')).stdout).toBe('ran\n');
  });

  test('ends with 127 if there is no such command, 126 if it cannot be executed', async () => {
    expect(await run([], './nowhere')).toMatchObject({
      status: 127,
      stderr: 'conclave: ./nowhere: not found\n',
    });
    const refused = await run([], '/');
    expect(refused.status).toBe(126);
    expect(refused.stderr).toContain('conclave: /: cannot be executed');
    await expectFreeSoon();
  });
});

it('answers wrong usage with 64 and a line that says what to do', async () => {
  for (const args of [
    [],
    ['bogus'],
    ['--json', 'ls'],
    ['lock'],
    ['lock', 'a', 'b'],
    ['ls', 'a'],
    ['inspect'],
    ['inspect', 'a', '--kind', 'lock'],
    ['rwlock', 'a'],
    ['semaphore', 'a', '--resize', '0'],
    ['elect', '--observe'],
  ]) {
    const { status, stdout, stderr } = await conclave(args, env);
    expect([args, status, stdout]).toEqual([args, 64, '']);
    expect(stderr).toMatch(args.length > 0 ? /^conclave: .+\n$/ : /^Coordination/);
  }
  const badName = await conclave(['lock', 'x'.repeat(600), '--try'], env);
  expect(badName).toMatchObject({
    status: 64,
    stderr: 'conclave: name is longer than 512 bytes (escaped)\n',
  });
});

it('explains itself, and each of its commands', async () => {
  for (const args of [
    ['--help'],
    ['help'],
    ['lock', '--help'],
    ['lock', 'a', '-h'],
    ['ls', '--help'],
    ['inspect', '--help'],
    ['rwlock', '--help'],
    ['semaphore', '--help'],
    ['elect', '--help'],
  ]) {
    const { status, stdout, stderr } = await conclave(args);
    expect([args, status, stderr]).toEqual([args, 0, '']);
    expect(stdout).toContain('Usage: conclave');
  }
});

it('says its version', async () => {
  expect((await conclave(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it('ends with 69 if etcd cannot be reached, and names what was tried', async () => {
  const args = ['lock', 'a', '--endpoints', 'http://127.0.0.1:1', '--', 'echo', 'ran'];
  const { status, stdout, stderr } = await conclave(args);
  expect([status, stdout]).toEqual([69, '']);
  expect(stderr).toMatch(
    /^conclave: .*http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.*--endpoints or CONCLAVE_ENDPOINTS\n$/,
  );
});
