import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Conclave, connect } from '../../src/index.js';
import { root } from '../project/program.js';
import { Cluster } from '../rig/cluster.js';
import { patience } from '../rig/patience.js';
import { ConclaveProgram } from '../cli/conclave-program.js';

const program = join(root, 'examples/hot-reload/server.js');
const values = ['{"config1":"a","config2":"b"}', '{"config1":1}', 'oops', '{"config1":"c","config2":"d"}'];

/** What it prints while `put` stores the values one after the other. */
async function follows(lines: readonly string[], put: (value: string) => Promise<unknown>): Promise<void> {
  const untilPrinted = (text: string): Promise<void> =>
    vi.waitFor(() => expect(lines.at(-1)).toContain(text), patience);
  await untilPrinted('now config1=default config2=default');
  const address = lines[0]?.replace('listening on ', '') ?? '';
  const served = async (): Promise<string> => (await fetch(address)).text();
  expect(await served()).toBe('{"config1":"default","config2":"default"}');
  await put(values[0]!);
  await untilPrinted('now config1=a config2=b');
  await put(values[1]!);
  await untilPrinted('ignored: ');
  expect(lines.at(-1)).toMatch(
    /^ignored: config "config_key" \(config_key, revision \d+\) is not valid: config1: expected a text; config2: expected a text$/,
  );
  await put(values[2]!);
  await untilPrinted('not JSON');
  expect(await served()).toBe('{"config1":"a","config2":"b"}');
  await put(values[3]!);
  await untilPrinted('now config1=c config2=d');
  expect(await served()).toBe('{"config1":"c","config2":"d"}');
  expect(lines).toHaveLength(6);
}

describe('a running program', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster.dispose());

  it('goes by its present configuration on etcd, and ignores a bad value', async () => {
    const [endpoint = ''] = cluster.endpoints;
    const child: ChildProcess = spawn(process.execPath, [program, endpoint]);
    const lines: string[] = [];
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      lines.splice(0, Infinity, ...text.trimEnd().split('\n'));
    });
    const ended = once(child, 'close');
    const conclave = await connect(endpoint);
    try {
      await follows(lines, (value) => conclave.store.put('config_key', value));
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
      await conclave.close();
    }
  });

  it('goes by its present configuration on the embedded engine, and ignores a bad value', async () => {
    const built = (await import(pathToFileURL(join(root, 'dist/index.js')).href)) as {
      connect: typeof connect;
    };
    const { serve } = (await import(pathToFileURL(program).href)) as {
      serve: (conclave: Conclave, signal: AbortSignal, print: (line: string) => void) => Promise<void>;
    };
    const conclave = await built.connect('memory:');
    const lines: string[] = [];
    const end = new AbortController();
    const serving = serve(conclave, end.signal, (line) => lines.push(line));
    await follows(lines, (value) => conclave.store.put('config_key', value));
    end.abort();
    await serving;
    await conclave.close();
  });

  describe('conclave config', () => {
    const start = (...args: readonly string[]): ConclaveProgram =>
      new ConclaveProgram(['config', ...args], { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') });

    it('stores, prints and deletes a value, guarded by its revision if that is named', async () => {
      const run = (...args: readonly string[]): ConclaveProgram['ended'] =>
        start(...args).feed('{"from":"stdin"}').ended;
      expect(await run('get', 'c')).toMatchObject({
        status: 66,
        stderr: expect.stringContaining('nothing is stored as "c"') as unknown,
      });
      expect(await run('set', 'c', '{"a": [1, "\\u200b"]}')).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(await run('get', 'c')).toEqual({ status: 0, stdout: '{"a":[1,"\\u200b"]}\n', stderr: '' });
      expect(await run('set', 'c', '{bad')).toMatchObject({ status: 65, stdout: '' });
      expect(await run('set', 'c', '1', '--if-revision', '0')).toMatchObject({ status: 75 });
      const { revision } = JSON.parse((await run('get', 'c', '--json')).stdout) as { revision: string };
      expect(await run('set', 'c', '-', '--if-revision', revision)).toMatchObject({ status: 0 });
      expect(await run('get', '--path', 'conclave/config/c')).toMatchObject({ stdout: '{"from":"stdin"}\n' });
      expect(await run('delete', 'c', '--if-revision', revision)).toMatchObject({ status: 75 });
      expect(await run('delete', 'c')).toMatchObject({ status: 0, stderr: '' });
      expect(await run('get', 'c')).toMatchObject({ status: 66 });
    });

    it('prints each change until it is told to stop, and what is no JSON on stderr', async () => {
      await using watching = start('watch', '--path', 'w');
      const conclave = await connect(cluster.endpoints[0] ?? '');
      await watching.printed('nothing is stored');
      await conclave.store.put('w', '1');
      await watching.printed('1\n');
      await conclave.store.put('w', 'secret');
      await watching.printed('not JSON');
      await conclave.store.put('w', '{"b":2}');
      await watching.printed('{"b":2}\n');
      watching.child.kill('SIGINT');
      const { status, stdout, stderr } = await watching.ended;
      expect([status, stdout]).toEqual([0, '1\n{"b":2}\n']);
      expect(stderr).not.toContain('secret');
      await conclave.close();
    });

    it.each([
      ['get'],
      ['set', 'c'],
      ['set', 'c', '1', '2'],
      ['get', 'c', '--if-revision', '1'],
      ['set', 'c', '1', '--if-revision', 'x'],
      ['put', 'c'],
      ['get', 'c', '--path', 'p'],
    ])('refuses what it cannot understand: %s %s', async (...args) => {
      expect(await start(...args).ended).toMatchObject({ status: 64, stdout: '' });
    });
  });
});
