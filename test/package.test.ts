import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, run } from './project/program.js';
import { asJavaScript, checkOutput } from './project/snippet-runner.js';
import { snippetsOf } from './project/snippets.js';

/**
 * The package as its users get it: packed, installed into an empty folder, and used from there. `dist` is what
 * `npm run build` left.
 */
const consumer = mkdtempSync(join(tmpdir(), 'conclave-package-'));
let tarball = '';
let packed: string[] = [];

beforeAll(async () => {
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', consumer];
  const [answer] = JSON.parse(await run('npm', pack, { cwd: root })) as Packed[];
  if (answer === undefined) throw new Error('npm packed nothing');
  tarball = join(consumer, answer.filename);
  packed = answer.files.map(({ path }) => path);
  write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const quietly = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...quietly, tarball], { cwd: consumer, timeoutMs: 150_000 });
}, 180_000);

afterAll(() => rmSync(consumer, { recursive: true, force: true }));

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

function write(name: string, text: string): void {
  writeFileSync(join(consumer, name), text);
}

function node(...args: string[]): Promise<string> {
  return run(process.execPath, args, { cwd: consumer });
}

describe('the tarball', () => {
  it('holds the library, its sources and its papers, and nothing else', () => {
    expect(packed).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'CHANGELOG.md', 'dist/index.js']));
    const strange = /^(dist|src)\/|^(LICENSE|README\.md|CHANGELOG\.md|package\.json)$/;
    expect(packed.filter((path) => !strange.test(path))).toEqual([]);
    expect(packed.filter((path) => /\.test\./.test(path))).toEqual([]);
  });

  it('is clean for publint', async () => {
    await node(join(root, 'node_modules/publint/src/cli.js'), 'run', tarball, '--strict');
  });

  it('has types that resolve for every importer of ES modules (attw)', { timeout: 60_000 }, async () => {
    const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    await node(attw, tarball, '--profile', 'esm-only', '--no-emoji');
  });
});

describe('a TypeScript consumer that checks its libraries', () => {
  const program = `
    import { connect, type Hold } from 'conclave';

    export async function work(): Promise<bigint> {
      await using conclave = await connect('memory:');
      await using hold: Hold = await conclave.mutex('orders/42').acquire({ timeoutMs: 5_000 });
      const disposable: AsyncDisposable = hold;
      const signal: AbortSignal = hold.signal;
      return signal.aborted || disposable !== hold ? 0n : hold.fencingToken;
    }

    export const done: Promise<string> = connect({ endpoints: ['http://127.0.0.1:2379'] }).then(async (conclave) =>
      conclave.mutex('orders/42').run(async (hold) => hold.key, { signal: new AbortController().signal }),
    );
  `;

  // Node's types bring an AsyncDisposable of their own; in the other set ours must bring it.
  it.each([
    ['with the types of Node', ['ES2022'], ['node']],
    ['with the types of a browser', ['ES2022', 'DOM'], []],
  ])('compiles %s', { timeout: 60_000 }, async (_, lib, types) => {
    useOurNodeTypes();
    const compilerOptions = { ...strictest, lib, types };
    write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    write('program.ts', program);
    await node(join(root, 'node_modules/typescript/bin/tsc'), '-p', '.');
  });

  const strictest = {
    module: 'nodenext',
    target: 'ES2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };

  /** Dependencies may bring other ones; those of the oldest Node we support are the ones to fit. */
  function useOurNodeTypes(): void {
    const place = join(consumer, 'node_modules/@types/node');
    rmSync(place, { recursive: true, force: true });
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(root, 'node_modules/@types/node'), place);
  }
});

describe('the installed package', () => {
  it("runs the README's first program", async () => {
    const snippets = snippetsOf('README.md', readFileSync(join(root, 'README.md'), 'utf8'));
    const first = snippets.find(({ comments }) => comments.includes('first program'));
    if (first === undefined) throw new Error('README.md marks no snippet as <!-- first program -->');
    write('first.mjs', asJavaScript(first).replaceAll('http://127.0.0.1:2379', 'memory:'));
    checkOutput(first, await node('first.mjs'));
  });

  it('can be loaded by require', async () => {
    write('require.cjs', "const { connect } = require('conclave'); console.log(typeof connect);");
    expect(await node('require.cjs')).toBe('function\n');
  });

  it('has a command that explains itself', async () => {
    expect(await node('node_modules/.bin/conclave', '--help')).toContain('lock');
  });

  it('loads neither etcd3 nor gRPC nor a parser of schedules before it needs them', async () => {
    const loaded = await filesLoadedBy('conclave');
    expect(loaded.some((path) => path.includes('/conclave/dist/index.js'))).toBe(true);
    expect(loaded.filter((path) => lateComers.test(path))).toEqual([]);
  });

  it('is watched by a probe that sees ES modules and CommonJS', async () => {
    const loaded = await filesLoadedBy('etcd3');
    expect(loaded.some((path) => path.includes('/node_modules/etcd3/'))).toBe(true);
    expect(loaded.some((path) => path.includes('/node_modules/@grpc/'))).toBe(true);
  });

  it('loads a parser of schedules for a schedule by cron', async () => {
    const schedule = (when: string): string => `
      import { connect } from 'conclave';
      const conclave = await connect('memory:');
      await conclave.queue('q').schedule('s', ${when}, 'x');
      await conclave.close();`;
    const isParser = (path: string): boolean => path.includes('/node_modules/croner/');
    expect((await filesLoadedWhile(schedule('{ everyMs: 5_000 }'))).some(isParser)).toBe(false);
    expect((await filesLoadedWhile(schedule("{ cron: '* * * * *' }"))).some(isParser)).toBe(true);
  });

  const lateComers = /\/node_modules\/(etcd3|@grpc|@?protobufjs|croner|cron-parser|cron)\//;

  /** ES modules as the loader meets them, CommonJS modules as they lie in its cache afterwards. */
  function filesLoadedBy(specifier: string): Promise<string[]> {
    return filesLoadedWhile(`await import('${specifier}');`);
  }

  async function filesLoadedWhile(program: string): Promise<string[]> {
    write('hooks.mjs', hooks);
    write('watch.mjs', "import { register } from 'node:module'; register('./hooks.mjs', import.meta.url);");
    write('probe.mjs', `${program}\n${printCommonJs}`);
    write('loaded.txt', '');
    const commonJs = await node('--import', './watch.mjs', 'probe.mjs');
    return [...readFileSync(join(consumer, 'loaded.txt'), 'utf8').split('\n'), ...commonJs.split('\n')];
  }

  const hooks = `
    import { appendFileSync } from 'node:fs';
    export async function load(url, context, next) {
      appendFileSync('loaded.txt', url + '\\n');
      return next(url, context);
    }
  `;
  const printCommonJs = `
    const { createRequire } = await import('node:module');
    console.log(Object.keys(createRequire(import.meta.url).cache).join('\\n'));
  `;
});
