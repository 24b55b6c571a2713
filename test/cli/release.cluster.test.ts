import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Conclave, connect, type ReleaseRequest } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { conclave, ConclaveProgram, type Ended, until } from './conclave-program.js';

let cluster: Cluster;
let nightly: Conclave;
let env: Record<string, string>;
/** A name for each test: what one leaves behind by mistake must not help another. */
let name: string;
let tests = 0;

beforeAll(async () => {
  cluster = await Cluster.start();
  env = { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') };
  nightly = await connect({ endpoints: cluster.endpoints, holder: 'nightly' });
});
afterAll(async () => {
  await nightly.close();
  await cluster.dispose();
});
beforeEach(() => {
  name = `test-${++tests}`;
});

function release(...options: readonly string[]): Promise<Ended> {
  return conclave(['release', name, ...options], env);
}

const asLine = (kind: string): RegExp =>
  new RegExp(`^${kind}: nightly \\(.+:\\d+\\), token \\d+, conclave/.+-\\d+\n`);

it('asks, prints whom, and ends with 0 when they have gone', async () => {
  const hold = await nightly.mutex(name).acquire();
  hold.releaseRequested.addEventListener('abort', () => void hold.release());
  const { status, stdout, stderr } = await release('--reason', 'deploy', '--deadline', '20s');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(asLine('asked'));
  expect(stdout).toMatch(/\nreleased\n$/);
  const request = hold.releaseRequested.reason as ReleaseRequest;
  expect([request.reason, request.deadlineMs]).toEqual(['deploy', 20_000]);
});

it('ends with 75 if it is still held after the deadline, naming who holds it', async () => {
  await using hold = await nightly.mutex(name).acquire();
  const { status, stdout, stderr } = await release('--deadline', '200ms');
  expect(status).toBe(75);
  expect(stdout).toMatch(asLine('asked'));
  expect(stderr).toMatch(/^conclave: still held by nightly \(.+\)\n$/);
  expect([hold.isHeld(), hold.releaseRequested.aborted]).toEqual([true, true]);
  expect(
    (await cluster.etcdctl('get', '--prefix', '--keys-only', 'conclave/session/')).includes('/ask/'),
  ).toBe(false);
});

it('ends with 0 if nobody holds it', async () => {
  expect(await release()).toEqual({ status: 0, stdout: 'free\n', stderr: '' });
  expect(await release('--force')).toEqual({ status: 0, stdout: 'free\n', stderr: '' });
});

it('asks holders of every kind, all of them', async () => {
  await using reader = await nightly.rwLock(name).read.acquire();
  await using other = await nightly.rwLock(name).read.acquire();
  expect((await release('--kind', 'rwlock', '--deadline', '0')).stdout.match(/^asked: /gm)).toHaveLength(2);
  await using permit = await nightly.semaphore(name, { limit: 1 }).acquire();
  await release('--kind', 'semaphore', '--deadline', '0');
  await using leader = await nightly.election(name).campaign('me');
  await release('--kind', 'election', '--deadline', '0');
  for (const { releaseRequested } of [reader, other, permit, leader])
    await until(() => releaseRequested.aborted, 'it is asked');
});

it('prints JSON if asked to', async () => {
  const hold = await nightly.mutex(name).acquire();
  const held = await release('--json', '--deadline', '0');
  expect(held.status).toBe(75);
  const ticket = { key: hold.key, fencingToken: String(hold.fencingToken) };
  expect(JSON.parse(held.stdout)).toMatchObject({ kind: 'mutex', name, asked: [ticket], held: [ticket] });
  expect(JSON.parse((await release('--json', '--force')).stdout)).toMatchObject({
    kind: 'mutex',
    name,
    hit: ticket,
  });
  expect(JSON.parse((await release('--json', '--force')).stdout)).toEqual({ kind: 'mutex', name, hit: null });
  expect(JSON.parse((await release('--json')).stdout)).toEqual({ kind: 'mutex', name, asked: [], held: [] });
});

it('with --force takes it away, says whom it hit, and the holder is told why', async () => {
  const hold = await nightly.mutex(name).acquire();
  const { status, stdout, stderr } = await release('--force', '--reason', 'stuck since noon');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(asLine('released by force'));
  await until(() => hold.signal.aborted, 'the holder is told');
  expect((hold.signal.reason as Error).message).toContain('stuck since noon');
});

it('with --ticket takes away that one', async () => {
  await using hold = await nightly.mutex(name).acquire();
  await using other = await nightly.withSession();
  const waiting = other.mutex(name).acquire();
  waiting.catch(() => {});
  await until(async () => (await nightly.mutex(name).inspect()).waiters.length === 1, 'one waits');
  const [waiter] = (await nightly.mutex(name).inspect()).waiters;
  expect((await release('--force', '--ticket', waiter!.key)).stdout).toContain(waiter!.key);
  await expect(waiting).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(hold.isHeld()).toBe(true);
});

it('cannot ask another program, ends with 75, and takes it away with --force', async () => {
  await cluster.etcdctl('put', `/raw/${name}/694d`, '');
  const { status, stderr } = await conclave(['release', '--path', `/raw/${name}`], env);
  expect(status).toBe(75);
  expect(stderr).toMatch(/^conclave: still held: .*another program.*--force\n$/);
  const forced = await conclave(['release', '--path', `/raw/${name}`, '--force'], env);
  expect(forced.stdout).toMatch(/^released by force: another program, token \d+, /);
});

it('is ended by a signal, and leaves nothing behind', async () => {
  await using hold = await nightly.mutex(name).acquire();
  await using program = new ConclaveProgram(['release', name, '--deadline', '60s'], env);
  await program.printed('asked');
  program.child.kill('SIGTERM');
  expect(await program.ended).toMatchObject({ status: 143, stderr: '' });
  expect((await cluster.etcdctl('lease', 'list')).match(/found \d+ leases/)?.[0]).toBe('found 1 leases');
  expect(hold.isHeld()).toBe(true);
});

it('answers wrong usage with 64', async () => {
  for (const args of [
    [],
    ['a', 'b'],
    ['a', '--kind', 'lock'],
    ['a', '--ticket', 'conclave/lock/a/1-1'],
    ['a', '--force', '--deadline', '1s'],
    ['a', '--force', '--ticket', 'elsewhere'],
    ['a', '--deadline', '5'],
    ['a', '--reason', ''],
    ['x'.repeat(600)],
  ]) {
    const { status, stdout, stderr } = await conclave(['release', ...args], env);
    expect([args, status, stdout]).toEqual([args, 64, '']);
    expect(stderr).toMatch(/^conclave: .+\n$/);
  }
});

it('a command under a lock gets SIGTERM when it is asked, once, and its status counts', async () => {
  const script = 'trap "echo asked to stop; exit 9" TERM; echo ready; while :; do sleep 0.05; done';
  await using program = new ConclaveProgram(['lock', name, '--ttl', '60s', '--', 'sh', '-c', script], env);
  await program.printed('ready');
  expect(await release('--reason', 'deploy\u001b[31m', '--deadline', '30s')).toMatchObject({ status: 0 });
  const { status, stdout, stderr } = await program.ended;
  expect([status, stdout]).toEqual([9, 'ready\nasked to stop\n']);
  expect(stderr).toMatch(
    /^conclave: mutex .+ is asked for by .+: deploy\\u\{1b\}\[31m; wanted by \S+Z: SIGTERM to sh\n$/,
  );
});

it('a command that goes on keeps its lock', async () => {
  const script = 'trap "echo asked to stop" TERM; echo ready; while :; do sleep 0.05; done';
  await using program = new ConclaveProgram(['lock', name, '--ttl', '60s', '--', 'sh', '-c', script], env);
  await program.printed('ready');
  expect(await release('--deadline', '300ms')).toMatchObject({ status: 75 });
  await program.printed('asked to stop');
  expect(program.child.exitCode).toBeNull();
  expect((await release('--force')).stdout).toContain('released by force');
  expect((await program.ended).status).toBe(76);
  expect(program.stderr).toContain('released by force by');
});

it('without a command a lock is given back when it is asked for', async () => {
  await using program = new ConclaveProgram(['lock', name, '--ttl', '60s'], env);
  await program.printed('token');
  expect(await release('--deadline', '30s')).toMatchObject({ status: 0 });
  const { status, stderr } = await program.ended;
  expect(status).toBe(0);
  expect(stderr).toMatch(/^conclave: .* is asked for by .*: giving it back\n$/);
});

it('a leader is asked in the same way', async () => {
  await using program = new ConclaveProgram(['elect', name, 'me', '--', 'sleep', '60'], env);
  await until(async () => (await nightly.election(name).leader()) !== undefined, 'it leads');
  expect(await release('--kind', 'election', '--deadline', '30s')).toMatchObject({ status: 0 });
  expect((await program.ended).status).toBe(143);
});
