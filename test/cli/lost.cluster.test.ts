import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cluster } from '../rig/cluster.js';
import { ConclaveProgram, until } from './conclave-program.js';

const ttlMs = 3_000;
const marginMs = ttlMs / 5;

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.dispose());

function hold(...command: readonly string[]): ConclaveProgram {
  const endpoints = cluster.endpoints.join(',');
  return new ConclaveProgram(['lock', 'a', '--ttl', `${ttlMs}ms`, '--endpoints', endpoints, ...command]);
}

interface Held extends AsyncDisposable {
  readonly program: ConclaveProgram;
  /** Of the command. */
  readonly pid: number;
  readonly key: string;
}

/** A command that says its process id, and says so when it is asked to stop, and stops then or not. */
async function holdUnder(onTerm: string): Promise<Held> {
  const script = `trap '${onTerm}' TERM; echo pid $$ key $CONCLAVE_KEY ready; while :; do sleep 0.05; done`;
  const program = hold('--', 'sh', '-c', script);
  await program.printed('ready');
  const [, pid = '', key = ''] = /pid (\d+) key (\S+)/.exec(program.stdout) ?? [];
  return {
    program,
    pid: Number(pid),
    key,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const stubborn = 'echo asked to stop';
const obedient = 'echo asked to stop; exit 0';

async function revokeLeaseOf(key: string): Promise<void> {
  await cluster.etcdctl('lease', 'revoke', /([0-9a-f]+)-\d+$/.exec(key)![1]!);
}

it('kills the command at once when its lease is revoked: somebody else may hold the lock', async () => {
  await using held = await holdUnder(stubborn);
  const { program, pid, key } = held;
  await revokeLeaseOf(key);
  const { status, stdout, stderr } = await program.ended;
  expect(status).toBe(76);
  expect(stdout).not.toContain('asked to stop');
  expect(stderr).toContain('conclave: the lock is lost: SIGKILL to sh');
  expect(isRunning(pid)).toBe(false);
});

it('kills the command at once when its ticket is found removed', async () => {
  await using held = await holdUnder(stubborn);
  const { program, key } = held;
  await cluster.etcdctl('del', key);
  const { status, stdout, stderr } = await program.ended;
  expect(status).toBe(76);
  expect(stdout).not.toContain('asked to stop');
  expect(stderr).toContain('was removed by somebody else');
});

it('asks the command to stop when etcd is silent for too long; 76 wins over its status', async () => {
  await using held = await holdUnder(obedient);
  const { program } = held;
  cluster.stop(0);
  const { status, stdout, stderr } = await program.ended;
  expect(status).toBe(76);
  expect(stdout).toContain('asked to stop');
  expect(stderr).toContain(`SIGTERM, and SIGKILL in ${marginMs} ms to sh`);
});

it('kills a command that does not stop, one margin later', async () => {
  await using held = await holdUnder(stubborn);
  const { program, pid } = held;
  cluster.stop(0);
  await program.printed('asked to stop');
  const askedAt = performance.now();
  expect(isRunning(pid)).toBe(true);
  expect((await program.ended).status).toBe(76);
  expect(performance.now() - askedAt).toBeGreaterThan(marginMs / 2);
  expect(performance.now() - askedAt).toBeLessThan(marginMs + 1_500);
  expect(isRunning(pid)).toBe(false);
});

it('kills the command at once when it wakes up too late itself', async () => {
  await using held = await holdUnder(stubborn);
  const { program, pid, key } = held;
  program.child.kill('SIGSTOP');
  await until(async () => (await cluster.etcdctl('get', key)) === '', 'etcd gives the lock away');
  expect(isRunning(pid)).toBe(true); // Nobody was awake to stop it: what it writes must be fenced.
  program.child.kill('SIGCONT');
  const { status, stdout } = await program.ended;
  expect(status).toBe(76);
  expect(stdout).not.toContain('asked to stop');
  expect(isRunning(pid)).toBe(false);
});

it('without a command ends with 76, too', async () => {
  await using program = hold();
  await program.printed('token');
  await revokeLeaseOf(/key\s+(\S+)/.exec(program.stdout)![1]!);
  expect(await program.ended).toMatchObject({
    status: 76,
    stderr: expect.stringContaining('is lost') as string,
  });
});

it('ends when it is told to, although etcd is away and nothing can be given back', async () => {
  await using held = await holdUnder(obedient);
  const { program, pid } = held;
  cluster.stop(0);
  program.child.kill('SIGTERM');
  await until(() => !isRunning(pid), 'the command ends');
  program.child.kill('SIGTERM'); // Not patient enough to wait for etcd until the lock has run out.
  expect((await program.ended).status).toBe(143);
});
