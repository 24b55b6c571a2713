import { connect, type Socket } from 'node:net';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { Cluster } from './cluster.js';
import { Proxy } from './proxy.js';
import { patience } from './patience.js';

describe('a cluster of three', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ members: 3 });
  }, 30_000);
  afterAll(() => cluster.dispose());

  it('elects another leader when its leader is killed, and takes it back when it is restarted', async () => {
    const first = await cluster.leader();
    await cluster.kill(first);
    const second = await cluster.leader();
    expect(second).not.toBe(first);
    await cluster.restart(first);
    expect(await cluster.etcdctl('put', 'k', 'v')).toBe('OK\n');
  }, 30_000);

  it('has a member that answers nothing while it is stopped', async () => {
    const member = 2;
    const ask = (): Promise<string> =>
      cluster.etcdctl('get', 'k', `--endpoints=${cluster.endpoints[member]!}`, '--command-timeout=500ms');
    cluster.stop(member);
    await expect(ask()).rejects.toThrow('deadline exceeded');
    cluster.cont(member);
    await cluster.healthy([member]);
    expect(await ask()).toBe('k\nv\n');
  }, 30_000);
});

describe('a proxy', () => {
  /** A socket and what it received. */
  async function open(endpoint: string): Promise<{ socket: Socket; received: () => string }> {
    let text = '';
    const socket = connect(Number(new URL(endpoint).port), '127.0.0.1');
    socket.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    return { socket, received: () => text };
  }

  const request = 'GET /version HTTP/1.1\r\nHost: etcd\r\n\r\n';

  it('passes, goes silent without a sign, and resets what lost bytes when it passes again', async () => {
    await using cluster = await Cluster.start();
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    const { socket, received } = await open(proxy.endpoint);
    socket.write(request);
    await vi.waitFor(() => expect(received()).toContain('etcdserver'), patience);
    const before = received();

    await proxy.set('silent');
    socket.write(request);
    await vi.waitFor(() => expect(proxy.swallowedBytes).toBe(request.length), patience);
    await proxy.set({ kind: 'delay', delayMs: 20 });

    await vi.waitFor(() => expect(socket.destroyed).toBe(true), patience);
    expect(received()).toBe(before);
    const late = await open(proxy.endpoint);
    late.socket.write(request);
    await vi.waitFor(() => expect(late.received()).toContain('etcdserver'), patience);
  }, 20_000);
});
