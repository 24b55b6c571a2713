import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { root, run } from '../project/program.js';
import { Cluster } from '../rig/cluster.js';

const folder = join(root, 'examples/client');
const header = String.raw`cluster_id:\d+ member_id:\d+ revision:\d+ raft_term:\d+`;
const kv = (key: string, value: string): string =>
  String.raw`key:"${key}" create_revision:\d+ mod_revision:\d+ version:\d+ value:"${value}"`;
const key1 = kv('/test/key1', 'Hello etcd!');
const key2 = kv('/test/key2', 'Hello World!');

/** What each program prints, line by line. */
const output: Readonly<Record<string, readonly string[]>> = {
  connect: [
    String.raw`connected to .+, one of 1`,
    String.raw`err: UnavailableError: cannot connect to http://127\.0\.0\.1:1, http://127\.0\.0\.1:2: .+`,
  ],
  put: [`PutResponse: ${header} prev_kv:undefined`, `PutResponse: ${header} prev_kv:"Hello etcd!"`],
  get: [
    String.raw`Kvs: \[${key1}\] More: false Count: 1`,
    String.raw`absent: \[\] Count: 0`,
    String.raw`a revision before: \[${kv('/test/key1', String.raw`Hello etcd\?`)}\]`,
    String.raw`from key, limit 1: \[${key1}\] More: true`,
    String.raw`the newest: \[${key2}\]`,
  ],
  prefix: [
    String.raw`range: \["/test/","/test0"\)`,
    String.raw`/test/: \[${key1} ${key2}\]`,
    '/test: /test/key1 /test/key2 /testspam',
  ],
  delete: [
    'deleted: 1',
    String.raw`deleted: 2 prev_kvs: \[${kv('/delete/key2', 'Hello etcd!')} ${kv('/delete/key3', 'Hello etcd!')}\]`,
    'err: CompactedError: get "/delete/": .+ compacted away',
  ],
  lease: [
    'granted: 2 s',
    String.raw`(/test/vanish = vanish in 2s, \d s left\n)+vanished: Count: 0`,
    String.raw`err: NotFoundError: put "/test/vanish": the lease does not exist \(expired or revoked\)`,
  ],
  'keep-alive': [
    'renewed once: 2 s',
    String.raw`(renewed: 2 s, 1 key\n){5}err: NotFoundError: lease .+`,
    '0 keys',
  ],
  op: [`put: ${header}`, String.raw`get: ${header} \[${kv('put-key', '123')}\]`, `put: ${header}`],
  txn: [
    `TxnResponse: ${header} succeeded:false`,
    '/txn/k1=v2 /txn/k4=v4 /txn/k5=v5',
    `TxnResponse: ${header} succeeded:true`,
    '/txn/k1=v2 /txn/k2=v2 /txn/k3=v3 /txn/k4=v4 /txn/k5=v5',
  ],
  watch: [
    String.raw`Created: revision:\d+`,
    `PUT ${kv('/watch/key1', 'Hello etcd!')} prev_kv:undefined`,
    `PUT ${kv('/watch/key2', 'Hello World!')} prev_kv:undefined`,
    `PUT ${kv('/watch/key1', 'Hello again!')} prev_kv:${kv('/watch/key1', 'Hello etcd!')}`,
    `DELETE ${kv('/watch/key1', '')} prev_kv:${kv('/watch/key1', 'Hello again!')}`,
    'created',
    String.raw`Canceled: CompactedError CompactRevision:\d+`,
  ],
  'hot-config': [
    "watchConfig { config1: 'one', config2: 'two' }",
    "appConfig   { config1: 'one', config2: 'two' }",
    'watchConfig err: SyntaxError',
    "appConfig   { config1: 'one', config2: 'two' }",
    "watchConfig { config1: 'three', config2: 'four' }",
    "appConfig   { config1: 'three', config2: 'four' }",
    'watchConfig ends: AbortError',
  ],
  register: [
    'members: own=10.0.0.1:8080',
    'joined: own=10.0.0.1:8080',
    '(joined: other=10.0.0.2:8080\nleft: other=10.0.0.2:8080\n)?left: own=10.0.0.1:8080',
  ],
};
const programs = Object.keys(output);
const seen = (program: string): RegExp => new RegExp(`^${output[program]!.join('\n')}\n$`);
const play = (program: string, args: string[], env: Record<string, string> = {}): Promise<string> =>
  run(process.execPath, [join(folder, `${program}.js`), ...args], {
    cwd: folder,
    env: { TTL_SECONDS: '2', ...env },
  });

describe('the client programs on etcd', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster.dispose());

  it.each(programs)('%s prints what it shows', async (program) => {
    const printed = await play(program, [], { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') });
    expect(printed).toMatch(seen(program));
    if (program === 'register') expect(printed).toContain('left: other');
  });
});

describe.concurrent('the client programs on the embedded engine', () => {
  it.each(programs)('%s prints what it shows', async (program) => {
    expect(await play(program, ['memory:'])).toMatch(seen(program));
  });
});

it('each of the client programs is here, and in the table of their README', () => {
  const there = readdirSync(folder).filter((file) => file.endsWith('.js') && file !== 'target.js');
  expect(there.sort()).toEqual(programs.map((program) => `${program}.js`).sort());
  const table = readFileSync(join(folder, 'README.md'), 'utf8');
  for (const file of there) expect(table).toContain(`| [${file}](${file}) |`);
});
