import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Conclave, connect, type Queue } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { ConclaveProgram, type Ended, until } from './conclave-program.js';

let cluster: Cluster;
let conclave: Conclave;
/** Another one for each test: what one leaves behind by mistake must not help another. */
let name: string;
let queue: Queue;
let tests = 0;

beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster.dispose());
beforeEach(async () => {
  name = `q-${++tests}`;
  conclave = await connect({ endpoints: cluster.endpoints });
  queue = conclave.queue(name);
});
afterEach(() => conclave.close());

function start(command: string, ...args: readonly string[]): ConclaveProgram {
  const env = { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') };
  return new ConclaveProgram(['queue', command, name, ...args], env);
}

function run(command: string, ...args: readonly string[]): Promise<Ended> {
  return start(command, ...args).feed().ended;
}

function work(...args: readonly string[]): ConclaveProgram {
  return start('work', ...args).feed();
}

describe('conclave queue push', () => {
  it('puts a job, and prints its id', async () => {
    const { status, stdout, stderr } = await run('push', 'hello', '--priority', '3');
    expect([status, stderr]).toEqual([0, '']);
    const delivery = await queue.receive();
    expect([stdout, delivery.value]).toEqual([`${delivery.id}\n`, 'hello']);
    await delivery.ack();
  });

  it('puts a job of one id once, and says so', async () => {
    const first = await run('push', '{"a":1}', '--as', 'json', '--id', 'one', '--json');
    expect(first).toEqual({ status: 0, stdout: '{"id":"one","created":true}\n', stderr: '' });
    const again = await run('push', '{"a":2}', '--as', 'json', '--id', 'one');
    expect(again).toMatchObject({ status: 0, stdout: 'one\n' });
    expect(again.stderr).toContain('there already');
    const delivery = await queue.receive();
    expect(delivery.value).toEqual({ a: 1 });
    await delivery.ack();
    expect(await queue.inspect()).toMatchObject({ ready: 0 });
  });

  it('puts a job for each line of stdin, in order, and says how many', async () => {
    const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`);
    const ended = await start('push', '-').feed(`${lines.join('\n')}\n\nlast`).ended;
    expect(ended).toEqual({ status: 0, stdout: '101 put\n', stderr: '' });
    const values: unknown[] = [];
    while (values.length < 101) {
      const delivery = await queue.receive({ timeoutMs: 0 });
      values.push(delivery.value);
      await delivery.ack();
    }
    expect(values).toEqual([...lines, 'last']);
  });

  it('puts what it has read while nothing more comes, and stops at a signal', async () => {
    await using program = start('push', '-', '--json');
    program.child.stdin?.write('one\ntwo\nthr');
    await until(() => program.stdout.split('\n').length === 3, 'two are put');
    program.child.kill('SIGINT');
    const { status, stderr } = await program.ended;
    expect(status).toBe(130);
    expect(stderr).toContain('2 put before it ended');
    expect(await queue.inspect()).toMatchObject({ ready: 2 });
  });

  it('puts nothing of what is no JSON, and names the line', async () => {
    const ended = await start('push', '-', '--as', 'json').feed('1\n2\n{').ended;
    expect(ended.status).toBe(64);
    expect(ended.stderr).toContain('line 3 is no JSON');
    expect(ended.stderr).toContain('2 put before it ended');
  });

  it('puts a job for later', async () => {
    await run('push', 'x', '--delay', '1h');
    expect(await queue.inspect()).toMatchObject({ ready: 0, delayed: 1 });
  });
});

describe('conclave queue work', () => {
  it('runs a command for each job, which is told what it has to know', async () => {
    await queue.enqueue('some text', { id: 'a b' });
    await queue.enqueue({ a: 1 }, { id: 'json' });
    const script = 'echo "$CONCLAVE_JOB_ID $CONCLAVE_JOB_ATTEMPT $CONCLAVE_FENCING_TOKEN $(cat)"';
    const { status, stdout, stderr } = await work('--until-empty', '--', 'sh', '-c', script).ended;
    expect([status, stderr]).toEqual([0, '']); // no bar where no terminal is attached
    expect(stdout).toMatch(/^a b 1 \d+ some text\njson 1 \d+ \{"a":1\}\n$/);
    expect(await queue.waitFor('a b')).toEqual({ state: 'completed', result: undefined });
    expect(await queue.inspect()).toMatchObject({ ready: 0, running: [], dead: 0, workers: 0 });
  });

  it('tries again what has failed, and gives up on 65 at once', async () => {
    await queue.enqueue('x', { id: 'later', backoff: { minMs: 50 } });
    await queue.enqueue('x', { id: 'never' });
    const script = '[ $CONCLAVE_JOB_ID = never ] && exit 65; [ $CONCLAVE_JOB_ATTEMPT = 2 ] || exit 3';
    expect((await work('--until-empty', '--', 'sh', '-c', script).ended).status).toBe(0);
    expect(await queue.waitFor('later')).toEqual({ state: 'completed', result: undefined });
    expect(await queue.deadLetters.get('never')).toMatchObject({
      reason: 'failed',
      attempts: 1,
      error: 'the command ended with 65',
    });
  });

  it('runs as many at a time as it is told to', async () => {
    await queue.enqueueAll(['a', 'b', 'c'].map((value) => ({ value })));
    await using worker = work('--concurrency', '3', '--', 'sh', '-c', 'echo began; sleep 1000');
    await until(() => worker.stdout.split('began').length === 4, 'all three run');
    expect((await queue.inspect()).running).toHaveLength(3);
  });

  it('stops the command of a job that is cancelled', async () => {
    await queue.enqueue('x', { id: 'one' });
    const script = 'trap "exit 1" TERM; echo began; while :; do sleep 0.05; done';
    await using worker = work('--', 'sh', '-c', script);
    await worker.printed('began');
    expect(await run('cancel', 'one')).toMatchObject({ status: 0, stdout: 'told to stop\n' });
    expect(await queue.waitFor('one')).toEqual({ state: 'cancelled' });
    expect(worker.stderr).toContain('SIGTERM to sh');
    worker.child.kill('SIGTERM');
    expect((await worker.ended).status).toBe(0);
  });

  it('stops the command of a job that is lost, and goes on', async () => {
    await queue.enqueue('x', { id: 'one', backoff: { minMs: 1 } });
    const script = '[ $CONCLAVE_JOB_ATTEMPT = 1 ] || exit 0; echo began; exec sleep 1000';
    await using worker = work('--', 'sh', '-c', script);
    await worker.printed('began');
    const claims = await cluster.etcdctl(
      'get',
      '--prefix',
      '--keys-only',
      `conclave/queue/${name}/active/one/`,
    );
    await cluster.etcdctl('del', claims.trim());
    expect(await queue.waitFor('one')).toEqual({ state: 'completed', result: undefined });
    expect(worker.stderr).toContain('is lost: SIGKILL to sh');
    worker.child.kill('SIGTERM');
    expect((await worker.ended).status).toBe(0);
  });

  it('waits at the first signal for what runs, and takes no more', async () => {
    await queue.enqueue('x', { id: 'one' });
    await queue.enqueue('x', { id: 'two' });
    const folder = await mkdtemp(join(tmpdir(), 'conclave-'));
    const script = 'echo began; while [ ! -e "$0/go" ]; do sleep 0.05; done';
    await using worker = work('--', 'sh', '-c', script, folder);
    await worker.printed('began');
    worker.child.kill('SIGTERM');
    await writeFile(join(folder, 'go'), '');
    expect((await worker.ended).status).toBe(0);
    expect(await queue.waitFor('one')).toEqual({ state: 'completed', result: undefined });
    expect(await queue.inspect()).toMatchObject({ ready: 1, running: [] });
    await rm(folder, { recursive: true });
  });

  it('ends what runs at the second signal, and gives it back uncounted', async () => {
    await queue.enqueue('x', { id: 'one' });
    await using worker = work('--until-empty', '--', 'sh', '-c', 'echo began; exec sleep 1000');
    await worker.printed('began');
    worker.child.kill('SIGINT');
    worker.child.kill('SIGTERM');
    expect((await worker.ended).status).toBeGreaterThan(128);
    const delivery = await queue.receive();
    expect(delivery.attempt).toBe(1);
    await delivery.ack();
  });

  it('gives the job back if there is no such command', async () => {
    await queue.enqueue('x', { id: 'one' });
    const { status, stderr } = await work('--', 'no-such-command').ended;
    expect(status).toBe(127);
    expect(stderr).toContain('no-such-command: not found');
    const delivery = await queue.receive();
    expect(delivery.attempt).toBe(1);
    await delivery.ack();
  });

  it('does not try for ever what no command can be run for', async () => {
    await queue.enqueue('x', { id: 'a\0b', attempts: 1 });
    expect((await work('--until-empty', '--', 'true').ended).status).toBe(0);
    expect(await queue.deadLetters.get('a\0b')).toMatchObject({ reason: 'failed' });
  });
});

describe('conclave queue stat', () => {
  it('counts, and shows who works on what, and how far', async () => {
    await queue.enqueueAll(['a', 'b', 'c'].map((id) => ({ value: id, id })));
    await queue.enqueue('x', { runAt: Date.now() + 3_600_000 });
    const delivery = await queue.receive();
    await delivery.progress('half');
    const { status, stdout } = await run('stat');
    const [summary, header, line] = stdout.split('\n');
    expect(status).toBe(0);
    expect(summary).toBe(`queue ${name}: 2 ready, 1 delayed, 1 running, 0 dead`);
    expect(header).toMatch(/^JOB +ATTEMPT +WORKER +SINCE +PROGRESS$/);
    expect(line).toMatch(/^a +1 +\S+:\d+ +\d{4}-\S+Z +half$/);
    expect(JSON.parse((await run('stat', '--json')).stdout)).toMatchObject({
      name,
      ready: 2,
      running: [{ id: 'a', attempt: 1, progress: 'half', isOrphan: false }],
    });
    await delivery.ack();
  });

  it('--watch prints a line for each change, until a signal comes', async () => {
    await using watching = start('stat', '--watch').feed();
    await watching.printed('0 ready');
    await queue.enqueue('x');
    await watching.printed('1 ready');
    const delivery = await queue.receive();
    await watching.printed('1 running');
    await delivery.fail('no');
    await watching.printed('1 dead');
    watching.child.kill('SIGINT');
    expect(await watching.ended).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('conclave queue dead, retry and cancel', () => {
  async function bury(id: string): Promise<void> {
    await queue.enqueue('x', { id });
    await (await queue.receive()).fail(new Error('broken\nbeyond repair'));
  }

  it('list what failed for good, put it back, and drop it', async () => {
    for (const id of ['a', 'b', 'c', 'd']) await bury(id);
    const { stdout } = await run('dead');
    expect(stdout).toMatch(
      /^ID +REASON +ATTEMPTS +SINCE +ERROR\na +failed +1 +\S+Z +Error: broken beyond repair\n/,
    );
    expect(await run('retry', 'a')).toMatchObject({ status: 0, stdout: 'put back\n' });
    expect(await run('dead', '--drop', 'b')).toMatchObject({ status: 0, stdout: 'dropped\n' });
    const [line] = (await run('dead', '--json')).stdout.split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({ id: 'c', value: 'x', attempts: 1 });
    expect(await run('dead', '--all')).toMatchObject({ status: 0, stdout: '2 put back\n' });
    expect(await queue.inspect()).toMatchObject({ ready: 3, dead: 0 });
  });

  it('say with 66 that there is no such job', async () => {
    const all: readonly (readonly [string, ...string[]])[] = [
      ['retry', 'x'],
      ['dead', '--retry', 'x'],
      ['dead', '--drop', 'x'],
      ['cancel', 'x'],
    ];
    for (const args of all) {
      const { status, stderr } = await run(...args);
      expect([status, stderr]).toEqual([66, expect.stringContaining(`"${name}" has no`)]);
    }
  });

  it('take back a job that waits', async () => {
    await queue.enqueue('x', { id: 'one' });
    expect(await run('cancel', 'one')).toMatchObject({ status: 0, stdout: 'cancelled\n' });
    expect(await queue.inspect()).toMatchObject({ ready: 0 });
  });
});

describe('conclave queue', () => {
  it('explains itself and each of its commands', async () => {
    const program = (...args: string[]): Promise<Ended> => new ConclaveProgram(args).feed().ended;
    expect((await program('queue', '--help')).stdout).toContain('conclave queue COMMAND --help');
    for (const command of ['push', 'work', 'stat', 'dead', 'retry', 'cancel']) {
      const { status, stdout } = await program('queue', command, '--help');
      expect([status, stdout]).toEqual([0, expect.stringContaining(`Usage: conclave queue ${command} NAME`)]);
    }
    expect(await program('queue')).toMatchObject({ status: 64, stdout: '' });
    expect((await program('queue', 'pull', 'q')).stderr).toContain('there is no command "queue pull"');
  });
});
