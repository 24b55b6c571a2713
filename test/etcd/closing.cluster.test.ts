import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { get, put, toRange } from '../../src/store/operations.js';
import { ChildScripts } from '../rig/child.js';
import { Cluster } from '../rig/cluster.js';
import { Proxy } from '../rig/proxy.js';
import { Client, watchOf } from './fixture.js';
import { patience } from '../rig/patience.js';

let cluster: Cluster;
let scripts: ChildScripts;

beforeAll(async () => {
  [cluster, scripts] = await Promise.all([Cluster.start(), ChildScripts.prepare('base', 'store', 'etcd')]);
}, 30_000);

afterAll(async () => {
  await cluster.dispose();
  await scripts[Symbol.asyncDispose]();
});

describe('a reset', () => {
  it('ends the calls and streams of the endpoint, and the next call dials anew', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await using client = new Client(proxy.endpoint);
    const { stream, messages, ends } = client.watch();
    stream.send(watchOf(1n, toRange('k')));
    await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
    await proxy.set('silent');
    const failure = client.failure('put', put('k', ''));

    client.transport.reset(proxy.endpoint);

    expect(await failure).toMatchObject({ status: 'unavailable' });
    expect(ends).toMatchObject([{ status: 'unavailable', neverSent: false }]);
    await proxy.set('pass');
    await client.call('get', get('k'));
    expect(proxy.accepted).toBe(2);
  });

  it('leaves a stream alone that its owner opens while he hears of the end of the last one', async () => {
    await using client = new Client(cluster.endpoints[0]!);
    let next: ReturnType<Client['watch']> | undefined;
    client.transport.watchStream(client.endpoint, {
      message: () => {},
      ended: () => {
        next = client.watch();
        next.stream.send(watchOf(1n, toRange('k')));
      },
    });
    const { stream: other } = client.keepAlive();
    client.transport.reset(client.endpoint);
    await vi.waitFor(() => expect(next?.messages).toHaveLength(1), patience);
    expect(next?.ends).toEqual([]);
    other.close();
  });

  it('does not touch the connections of another transport', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await using one = new Client(proxy.endpoint);
    await using other = new Client(proxy.endpoint);
    await Promise.all([one.call('get', get('k')), other.call('get', get('k'))]);
    const watch = other.watch();
    one.transport.reset(proxy.endpoint);
    await other.call('get', get('k'));
    expect([watch.ends.length, proxy.accepted]).toEqual([0, 2]);
  });
});

describe('a transport', () => {
  it('uses one socket per endpoint, whatever it does there', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await using client = new Client(proxy.endpoint);
    const { stream, messages } = client.watch();
    stream.send(watchOf(1n, toRange('k')));
    client.keepAlive();
    await Promise.all([
      client.call('put', put('other', '')),
      client.call('leaseList', {}),
      client.call('status', {}),
      vi.waitFor(() => expect(messages).toHaveLength(1), patience),
    ]);
    expect(proxy.accepted).toBe(1);
  });

  it('that is closed has ended its calls and streams, closed its sockets, and refuses new ones', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    const client = new Client(proxy.endpoint);
    const watch = client.watch();
    watch.stream.send(watchOf(1n, toRange('k')));
    await vi.waitFor(() => expect(watch.messages).toHaveLength(1), patience);
    const failure = client.failure('put', put('k', ''));

    await client.transport.close();
    await client.transport.close();

    expect(await failure).toMatchObject({ status: 'cancelled' });
    expect(watch.ends).toMatchObject([{ status: 'cancelled' }]);
    expect(await client.failure('get', get('k'))).toMatchObject({ status: 'cancelled', neverSent: true });
    const late = client.keepAlive();
    await vi.waitFor(
      () => expect(late.ends).toMatchObject([{ status: 'cancelled', neverSent: true }]),
      patience,
    );
    await vi.waitFor(() => expect(proxy.connections).toBe(0), patience);
  });
});

describe('a process ends by itself after it closed its transport', () => {
  const script = (endpoint: string, body: string): string => `
    import { EtcdTransport } from './etcd/transport.js';
    import { systemRuntime as runtime } from './base/runtime.js';
    import { get } from './store/operations.js';
    const endpoint = ${JSON.stringify(endpoint)};
    const transport = new EtcdTransport({ endpoints: [endpoint], runtime, dialTimeoutMs: 30_000 });
    const listener = { message() {}, ended() {} };
    const call = () => transport.unary(endpoint, 'get', get('k'), { signal: new AbortController().signal, requireLeader: false });
    const quietly = (promise) => promise.then(() => false, () => false);
    ${body}
    const closed = performance.now();
    process.on('exit', () => console.log('lingered', Math.round(performance.now() - closed)));
    await transport.close();
  `;

  /** Less than any timer that could keep it: grpc-js polls every 10 s, etcd3 waits 1 s for what is still connecting. */
  const expectPrompt = ({ code, output }: { code: number | null; output: string }): void => {
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(Number(/^lingered (\d+)$/m.exec(output)?.[1])).toBeLessThan(700);
  };

  it('with streams open and calls under way', async () => {
    const body = `
      await call();
      transport.watchStream(endpoint, listener);
      transport.keepAliveStream(endpoint, listener);
      await call();
      void quietly(call());`;
    expectPrompt(await scripts.run(script(cluster.endpoints[0]!, body), 10_000));
  });

  it('while the server is silent, and so is a connection being made', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await proxy.set('silent');
    const body = `
      void quietly(call());
      transport.watchStream(endpoint, listener);
      await new Promise((resolve) => setTimeout(resolve, 200));`;
    expectPrompt(await scripts.run(script(proxy.endpoint, body), 10_000));
  });

  it('while the server is frozen with calls on the way', async () => {
    await using frozen = await Cluster.start();
    await using client = new Client(frozen.endpoints[0]!);
    const body = `
      transport.watchStream(endpoint, listener);
      const stuck = () => new Promise((resolve) => setTimeout(resolve, 200, true));
      const ready = { kind: 'put', key: Buffer.from('ready'), value: Buffer.alloc(0), lease: 0n };
      await transport.unary(endpoint, 'put', ready, { signal: new AbortController().signal });
      while (!(await Promise.race([quietly(call()), stuck()])));`;
    const running = scripts.run(script(frozen.endpoints[0]!, body), 10_000);
    await vi.waitFor(async () => expect((await client.call('get', get('ready'))).count).toBe(1), patience);
    frozen.stop(0);
    expectPrompt(await running);
  }, 20_000);

  it('while the server is away', async () => {
    expectPrompt(
      await scripts.run(script('http://127.0.0.1:1', 'void quietly(call()); await quietly(call());'), 10_000),
    );
  });
});
