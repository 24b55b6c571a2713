import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Conclave, connect } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { ConclaveProgram, type Ended } from './conclave-program.js';

let cluster: Cluster;
let conclave: Conclave;
/** First part of the keys of a test. */
let root: string;
let tests = 0;

beforeAll(async () => {
  cluster = await Cluster.start();
  conclave = await connect({ endpoints: cluster.endpoints });
});
afterAll(async () => {
  await conclave.close();
  await cluster.dispose();
});
beforeEach(() => {
  root = `t${++tests}/`;
});

function start(...args: readonly string[]): ConclaveProgram {
  return new ConclaveProgram(['kv', ...args], { CONCLAVE_ENDPOINTS: cluster.endpoints.join(',') });
}

function run(...args: readonly string[]): Promise<Ended> {
  return start(...args).feed().ended;
}

function linesOf(text: string): unknown[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

describe('conclave kv', () => {
  it('puts a value, prints it as it is, and deletes it', async () => {
    const put = await run('put', `${root}a`, 'x\ty');
    expect([put.status, put.stderr]).toEqual([0, '']);
    expect(await run('get', `${root}a`)).toEqual({ status: 0, stdout: 'x\ty\n', stderr: '' });
    const del = await run('del', `${root}a`, '--prev-kv');
    expect(del).toEqual({ status: 0, stdout: `1\n${root}a\tx\\u{9}y\n`, stderr: '' });
    const gone = await run('get', `${root}a`);
    expect([gone.status, gone.stdout]).toEqual([66, '']);
    expect(gone.stderr).toContain('there is no key');
    const before = await run('get', `${root}a`, '--rev', put.stdout.trim());
    expect(before).toMatchObject({ status: 0, stdout: 'x\ty\n' });
  });

  it('lists many keys, in any order, some of them, or only how many', async () => {
    for (const key of ['a', 'b', 'c']) await conclave.store.put(root + key, key.toUpperCase());
    expect((await run('get', root, '--prefix')).stdout).toBe(`${root}a\tA\n${root}b\tB\n${root}c\tC\n`);
    const last = await run('get', root, '--prefix', '--sort=-key', '--limit=1', '--keys-only');
    expect(last.stdout).toBe(`${root}c\n`);
    expect((await run('get', `${root}a`, '--end', `${root}c`, '--count-only')).stdout).toBe('2\n');
    expect(await run('get', `${root}none`, '--prefix')).toMatchObject({ status: 0, stdout: '' });
  });

  it('takes a value of any bytes from stdin, and shows it in JSON', async () => {
    const put = start('put', `${root}a`, '-', '--json');
    put.child.stdin?.end(Buffer.from([0xff, 0x0a]));
    expect((await put.ended).status).toBe(0);
    const [shown] = linesOf((await run('get', `${root}a`, '--json')).stdout);
    expect(shown).toMatchObject({ key: `${root}a`, valueBase64: '/wo=', version: '1', lease: '0' });
  });

  it('puts a key that goes by itself, or with a lease that is there', async () => {
    const { stdout } = await run('put', `${root}a`, 'x', '--ttl', '60s', '--json');
    const { lease } = JSON.parse(stdout) as { lease: string };
    expect((await run('put', `${root}b`, 'y', '--lease', lease)).status).toBe(0);
    expect((await conclave.store.lease.timeToLive(BigInt(lease))).grantedTtlSeconds).toBe(60);
    await conclave.store.lease.revoke(BigInt(lease));
    expect((await run('get', root, '--prefix', '--count-only')).stdout).toBe('0\n');
    expect(await run('put', `${root}b`, 'y', '--lease', lease)).toMatchObject({ status: 66, stdout: '' });
  });

  it('does a transaction, or its else, and says which', async () => {
    const request = JSON.stringify({
      if: [{ key: `${root}a`, version: 0 }],
      then: [{ put: `${root}a`, value: '1' }],
      else: [{ get: `${root}a` }, { del: root, prefix: true }],
    });
    const first = await run('txn', request);
    expect([first.status, linesOf(first.stdout)]).toMatchObject([
      0,
      [{ succeeded: true, responses: [{ put: {} }] }],
    ]);
    const again = await start('txn').feed(request).ended;
    expect(again.status).toBe(1);
    expect(linesOf(again.stdout)).toMatchObject([
      {
        succeeded: false,
        responses: [{ get: { count: 1, kvs: [{ key: `${root}a`, value: '1' }] } }, { del: { deleted: 1 } }],
      },
    ]);
    const twice = JSON.stringify({
      then: [
        { put: 'k', value: '1' },
        { put: 'k', value: '2' },
      ],
    });
    expect(await run('txn', twice)).toMatchObject({ status: 64, stdout: '' });
  });

  it('prints changes in order until it is interrupted', async () => {
    const { header } = await conclave.store.put(`${root}a`, '1');
    const watch = start('watch', root, '--prefix', '--rev', String(header.revision), '--prev-kv', '--json');
    await watch.printed('"type":"created"');
    await conclave.store.put(`${root}a`, '2');
    await conclave.store.remove(`${root}a`);
    await watch.printed('"delete"');
    watch.child.kill('SIGINT');
    const { status, stdout } = await watch.ended;
    expect(status).toBe(0);
    expect(linesOf(stdout).slice(1)).toMatchObject([
      { type: 'put', key: `${root}a`, value: '1', modRevision: String(header.revision), prevKv: null },
      { type: 'put', value: '2', prevKv: { value: '1' } },
      { type: 'delete', key: `${root}a`, prevKv: { value: '2' } },
    ]);
  });

  it('says that a revision is compacted away', async () => {
    await conclave.store.put(`${root}a`, '1');
    const { header } = await conclave.store.put(`${root}a`, '2');
    await conclave.store.compact(header.revision);
    expect((await run('get', `${root}a`, '--rev', '1')).status).toBe(66);
    expect((await run('watch', `${root}a`, '--rev', '1')).status).toBe(66);
  });
});
