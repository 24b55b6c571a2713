import { afterAll, beforeAll, expect, it } from 'vitest';
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

function elect(...args: readonly string[]): ConclaveProgram {
  return new ConclaveProgram(['elect', ...args], env);
}

function run(...args: readonly string[]): Promise<Ended> {
  return conclave(['elect', ...args], env);
}

/** A command that says so once it runs, and ends when it is fed a line. */
const command = ['--', 'sh', '-c', 'echo ready $CONCLAVE_KEY $CONCLAVE_FENCING_TOKEN; read line; exit 7'];

async function candidates(): Promise<number> {
  const keys = await cluster.etcdctl('get', '--prefix', '--keys-only', `conclave/election/${name}/`);
  return keys.split('\n').filter(Boolean).length;
}

/** What an observer has printed, but for tokens and keys. */
function seenBy({ stdout }: ConclaveProgram): string[] {
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('  ')[0]!]));
}

const token = (program: ConclaveProgram): bigint => BigInt(/ready \S+ (\d+)/.exec(program.stdout)![1]!);

test('runs the command while it leads, and resigns when that has ended; an observer sees both', async () => {
  await using observer = elect('--observe', name);
  await observer.printed('no leader');
  await using leader = elect(name, 'host-7', ...command);
  await observer.printed('host-7');
  await leader.printed('ready');
  expect(leader.stdout).toMatch(new RegExp(`^ready conclave/election/${name}/[0-9a-f]+-1 \\d+\n$`));
  const another = await run(name, '--try', '--', 'echo', 'ran');
  expect(another).toMatchObject({ status: 75, stdout: '' });
  expect(another.stderr).toContain(`"${name}" is taken by`);
  expect((await leader.feed('\n').ended).status).toBe(7);
  await until(() => seenBy(observer).length === 3, 'the observer has seen it');
  expect(seenBy(observer)).toEqual(['no leader', 'host-7', 'no leader']);
  expect(observer.stdout).toContain(`(token ${token(leader)}, conclave/election/${name}/`);
  observer.child.kill('SIGINT');
  expect(await observer.ended).toMatchObject({ status: 0, stderr: '' });
});

test('a candidate that waits leads as soon as the lease of a killed leader has run out', async () => {
  await using observer = elect('--observe', name);
  await using leader = elect(name, 'first', '--ttl', '2s', ...command);
  await leader.printed('ready');
  await using standby = elect(name, 'second', '--timeout', '60s', ...command);
  await until(async () => (await candidates()) === 2, 'the second one stands');
  leader.child.kill('SIGKILL');
  await standby.printed('ready');
  expect(token(standby)).toBeGreaterThan(token(leader));
  await observer.printed('second');
  // It stood in line already: there was no time without a leader.
  expect(seenBy(observer).filter((each) => each !== 'no leader')).toEqual(['first', 'second']);
  expect(seenBy(observer).lastIndexOf('no leader')).toBeLessThan(seenBy(observer).indexOf('first'));
  expect((await standby.feed('\n').ended).status).toBe(7);
});

test('kills the command when the leadership is lost', async () => {
  await using leader = elect(name, ...command);
  await leader.printed('ready');
  await cluster.etcdctl('lease', 'revoke', /([0-9a-f]+)-\d+ /.exec(leader.stdout)![1]!);
  const { status, stderr } = await leader.ended;
  expect(status).toBe(76);
  expect(stderr).toContain('conclave: the leadership is lost: SIGKILL to sh');
});

test('a candidate gives way to one of higher priority', async () => {
  await using leader = elect(name, 'first', ...command);
  await leader.printed('ready');
  await using low = elect(name, 'low', ...command);
  await until(async () => (await candidates()) === 2, 'low stands');
  await using high = elect(name, 'high', '--priority', '5', ...command);
  await until(async () => (await candidates()) === 3, 'high stands');
  const inspect = (): Promise<Ended> => conclave(['inspect', name, '--kind', 'election', '--json'], env);
  await until(async () => {
    const { waiters } = JSON.parse((await inspect()).stdout) as { waiters: { value: string }[] };
    return waiters.map(({ value }) => value).join() === 'high,low';
  }, 'low has gone behind high');
  leader.feed('\n');
  await high.printed('ready');
  expect(low.stdout).toBe('');
  high.feed('\n');
  await low.printed('ready');
});

test('gives up after --timeout, and leaves the line at once on a signal', async () => {
  await using leader = elect(name, ...command);
  await leader.printed('ready');
  const late = await run(name, '--timeout', '300ms', '--', 'echo', 'ran');
  expect(late).toMatchObject({ status: 75, stdout: '' });
  expect(late.stderr).toContain('held by');
  await using waiter = elect(name, '--ttl', '60s', ...command);
  await until(async () => (await candidates()) === 2, 'it stands');
  waiter.child.kill('SIGTERM');
  expect(await waiter.ended).toMatchObject({ status: 143, stdout: '', stderr: '' });
  expect(await candidates()).toBe(1);
});

test('without a command prints key and token, and leads until a signal comes', async () => {
  await using leader = elect(name, 'host-7').feed();
  await leader.printed('token');
  expect(leader.stdout).toMatch(new RegExp(`^key    conclave/election/${name}/[0-9a-f]+-1\ntoken  \\d+\n$`));
  leader.child.kill('SIGTERM');
  expect((await leader.ended).status).toBe(0);
  expect(await candidates()).toBe(0);
});

test('--observe --json prints an object per line, of a raw prefix as of a name', async () => {
  await using observer = elect('--observe', '--path', `/raw/${name}`, '--json');
  await observer.printed('}');
  await cluster.etcdctl('put', `/raw/${name}/694d`, 'of Go');
  await observer.printed('of Go');
  const [none, leader] = observer.stdout.split('\n').map((line) => line && (JSON.parse(line) as unknown));
  const revision = expect.stringMatching(/^\d+$/) as string;
  expect(none).toEqual({ leader: null, revision });
  expect(leader).toEqual({
    leader: { value: 'of Go', fencingToken: revision, key: `/raw/${name}/694d` },
    revision,
  });
});

test('an observer ends when nobody reads what it prints', async () => {
  await using observer = elect('--observe', name);
  await observer.printed('no leader');
  observer.child.stdout!.destroy();
  await run(name, '--', 'true');
  expect((await observer.ended).status).toBe(0);
});
