import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { get, put, toRange } from '../../src/store/operations.js';
import { Cluster } from '../rig/cluster.js';
import { Proxy } from '../rig/proxy.js';
import { Client, errorOf, watchOf } from './fixture.js';
import { patience } from '../rig/patience.js';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ members: 3 });
}, 30_000);

afterAll(() => cluster.dispose());

describe('a call was surely never sent', () => {
  it('when the connection is refused', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await proxy.set('refuse');
    await using client = new Client(proxy.endpoint);
    expect(await client.failure('put', put('k', ''))).toMatchObject({
      status: 'unavailable',
      neverSent: true,
      detail: expect.stringContaining('ECONNREFUSED') as string,
    });
  });

  it('when the name of the host is not known', async () => {
    await using client = new Client('http://no-such-host.invalid:2379');
    expect(await client.failure('put', put('k', ''))).toMatchObject({
      status: 'unavailable',
      neverSent: true,
      detail: expect.stringContaining('Name resolution failed') as string,
    });
  });

  it('when the connection is lost before the server greeted', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await proxy.set('silent');
    await using client = new Client(proxy.endpoint);
    const failure = client.failure('put', put('k', ''));
    await vi.waitFor(() => expect(proxy.connections).toBe(1), patience);
    proxy.cut();
    expect(await failure).toMatchObject({ status: 'unavailable', neverSent: true });
  });

  it('when its signal had aborted before', async () => {
    await using client = new Client(cluster.endpoints[0]!);
    const reason = new Error('enough');
    expect(await client.failure('put', put('k', ''), AbortSignal.abort(reason))).toMatchObject({
      status: 'cancelled',
      neverSent: true,
      cause: reason,
    });
  });

  it('when the endpoint is none of the transport', async () => {
    await using client = new Client(cluster.endpoints[0]!);
    const options = { signal: AbortSignal.timeout(1_000), requireLeader: false };
    const call = client.transport.unary('http://127.0.0.1:1', 'get', get('k'), options);
    expect(await errorOf(call)).toMatchObject({ status: 'invalid-argument', neverSent: true });
  });
});

describe('a call may have been executed', () => {
  it('when the connection is lost after the request, and it was', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await using client = new Client(proxy.endpoint);
    await client.call('put', put('lost', 'before'));
    await proxy.set({ kind: 'drop-response', resetAfterMs: 100 });

    expect(await client.failure('put', put('lost', 'after'))).toMatchObject({
      status: 'unavailable',
      neverSent: false,
    });

    await proxy.set('pass');
    const { kvs } = await client.call('get', get('lost'));
    expect(kvs[0]).toMatchObject({ version: 2n }); // once, not again by a retry below us
  });

  it('when the server is killed while it is on the way', async () => {
    await using single = await Cluster.start();
    await using client = new Client(single.endpoints[0]!);
    await client.call('put', put('k', ''));
    single.stop(0);
    const failures = Array.from({ length: 5 }, () => client.failure('put', put('k', '')));
    await single.kill(0);
    for (const failure of await Promise.all(failures))
      expect(failure).toMatchObject({ status: 'unavailable', neverSent: false });
    expect(await client.failure('put', put('k', ''))).toMatchObject({ neverSent: true });
  }, 20_000);

  it('when it is cancelled after it was sent', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await using client = new Client(proxy.endpoint);
    await client.call('put', put('k', ''));
    await proxy.set('silent');
    const abort = new AbortController();
    const failure = client.failure('put', put('k', ''), abort.signal);
    await vi.waitFor(() => expect(proxy.swallowedBytes).toBeGreaterThan(0), patience);
    abort.abort(new Error('enough'));
    expect(await failure).toMatchObject({ status: 'cancelled', neverSent: false });
  });
});

describe('a silent server', () => {
  it('does not keep a call past its signal, on an old connection or a new one', async () => {
    const member = await cluster.leader();
    await using old = new Client(cluster.endpoints[member]!);
    await using fresh = new Client(cluster.endpoints[member]!);
    await old.call('get', get('k'));
    cluster.stop(member);
    try {
      for (const client of [old, fresh])
        expect(await client.failure('get', get('k'), AbortSignal.timeout(200))).toMatchObject({
          status: 'cancelled',
        });
    } finally {
      cluster.cont(member);
    }
  });
});

describe('a connection that was lost', () => {
  it('is dialled anew by the next call, without a pause', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await using client = new Client(proxy.endpoint);
    await proxy.set('refuse');
    for (let i = 0; i < 5; i++) await client.failure('get', get('k'));
    await proxy.set('pass');
    await client.call('get', get('k'), AbortSignal.timeout(500)); // gRPC's own backoff would be longer
    proxy.cut();
    await client.call('get', get('k'), AbortSignal.timeout(500)).catch(() => client.call('get', get('k')));
  });
});

describe('a member that knows no leader', () => {
  it('refuses calls that require one and ends streams, both with its own text', async () => {
    await using minority = await Cluster.start({ members: 3 });
    await using client = new Client(minority.endpoints[0]!);
    const { stream, messages, ends } = client.watch();
    stream.send(watchOf(1n, toRange('k')));
    await vi.waitFor(() => expect(messages).toHaveLength(1), patience);

    await Promise.all([minority.kill(1), minority.kill(2)]);

    await vi.waitFor(() => expect(ends).toHaveLength(1), { timeout: 15_000 });
    expect(ends[0]).toMatchObject({
      status: 'unavailable',
      detail: 'etcdserver: no leader',
      neverSent: false,
    });
    const options = { signal: AbortSignal.timeout(2_000), requireLeader: true };
    const call = client.transport.unary(client.endpoint, 'put', put('k', ''), options);
    expect(await errorOf(call)).toMatchObject({ status: 'unavailable', detail: 'etcdserver: no leader' });
  }, 40_000);
});
