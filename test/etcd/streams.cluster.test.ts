import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { toBytes, toText } from '../../src/base/bytes.js';
import { prefix, put, remove, toRange, txn } from '../../src/store/operations.js';
import type { WatchMessage } from '../../src/store/transport.js';
import { Cluster } from '../rig/cluster.js';
import { Proxy } from '../rig/proxy.js';
import { Client, watchOf } from './fixture.js';
import { patience } from '../rig/patience.js';

let cluster: Cluster;
let client: Client;

beforeAll(async () => {
  cluster = await Cluster.start();
  client = new Client(cluster.endpoints[0]!);
}, 30_000);

afterAll(async () => {
  await client.transport.close();
  await cluster.dispose();
});

const created = (messages: readonly WatchMessage[], watchId: bigint): Promise<void> =>
  vi.waitFor(() => expect(messages.some((m) => m.created && m.watchId === watchId)).toBe(true), patience);

const eventsOf = (messages: readonly WatchMessage[], watchId: bigint): string[] =>
  messages
    .filter((message) => message.watchId === watchId)
    .flatMap(({ events }) => events)
    .map(({ type, kv }) => `${type} ${toText(kv.key)}=${toText(kv.value)}`);

describe('a watch stream', () => {
  it('delivers what happens in the watched ranges, each under the id the client chose', async () => {
    const { stream, messages } = client.watch();
    stream.send(watchOf(7n, toRange('w/a')));
    stream.send(watchOf(9n, prefix('w/')));
    await created(messages, 9n);

    await client.call('put', put('w/a', '1'));
    await client.call('put', put('w/b', '2'));
    await client.call('remove', remove('w/a'));

    await vi.waitFor(
      () => expect(eventsOf(messages, 9n)).toEqual(['put w/a=1', 'put w/b=2', 'delete w/a=']),
      patience,
    );
    expect(eventsOf(messages, 7n)).toEqual(['put w/a=1', 'delete w/a=']);
    stream.close();
  });

  it('starts in the past, and returns the pairs before if asked', async () => {
    const { header } = await client.call('put', put('p', 'old'));
    await client.call('put', put('p', 'new'));
    await client.call('remove', remove('p'));
    const { stream, messages } = client.watch();
    stream.send(watchOf(1n, toRange('p'), { startRevision: header.revision, prevKv: true }));
    await vi.waitFor(() => expect(eventsOf(messages, 1n).length).toBe(3), patience);
    const previous = messages
      .flatMap(({ events }) => events)
      .map(({ prevKv }) => prevKv && toText(prevKv.value));
    expect(previous).toEqual([undefined, 'old', 'new']);
    stream.close();
  });

  it('leaves out puts or deletes if asked', async () => {
    const { stream, messages } = client.watch();
    stream.send(watchOf(1n, toRange('f'), { exclude: ['put'] }));
    stream.send(watchOf(2n, toRange('f'), { exclude: ['delete'] }));
    stream.send(watchOf(3n, toRange('f')));
    await created(messages, 3n);
    await client.call('put', put('f', '1'));
    await client.call('remove', remove('f'));
    await vi.waitFor(() => expect(eventsOf(messages, 3n).length).toBe(2), patience);
    expect(eventsOf(messages, 1n)).toEqual(['delete f=']);
    expect(eventsOf(messages, 2n)).toEqual(['put f=1']);
    stream.close();
  });

  it('answers a request for progress with a header and the id -1', async () => {
    const { stream, messages } = client.watch();
    stream.send(watchOf(1n, toRange('progress')));
    await created(messages, 1n);
    const { header } = await client.call('put', put('elsewhere', ''));
    stream.send({ kind: 'progress' });
    await vi.waitFor(() => expect(messages.at(-1)).toMatchObject({ watchId: -1n, events: [] }), patience);
    expect(messages.at(-1)!.header.revision).toBeGreaterThanOrEqual(header.revision);
    stream.close();
  });

  it('says that a watch was cancelled, and which revision is the oldest left', async () => {
    await client.call('put', put('c', '1'));
    const { header } = await client.call('put', put('c', '2'));
    await client.call('compact', { revision: header.revision, physical: true });
    const { stream, messages } = client.watch();
    stream.send(watchOf(1n, toRange('c')));
    stream.send({ kind: 'cancel', watchId: 1n });
    stream.send(watchOf(2n, toRange('c'), { startRevision: 1n }));
    await vi.waitFor(() => expect(messages.filter(({ canceled }) => canceled)).toHaveLength(2), patience);
    expect(messages.find((m) => m.canceled && m.watchId === 1n)).toMatchObject({ compactRevision: 0n });
    expect(messages.find((m) => m.canceled && m.watchId === 2n)).toMatchObject({
      compactRevision: header.revision,
    });
    stream.close();
  });

  it('gets a large revision in fragments', async () => {
    const { stream, messages } = client.watch();
    stream.send(watchOf(1n, prefix('big/'), { prevKv: true }));
    await created(messages, 1n);
    const value = new Uint8Array(1_200_000);
    for (const key of ['big/1', 'big/2', 'big/3']) await client.call('put', put(key, value));
    await client.call('remove', remove(prefix('big/')));
    // The number alone: an assertion that prints megabytes of values leaves no time to receive any.
    await vi.waitFor(() => expect(eventsOf(messages, 1n).length).toBe(6), patience);
    const deletes = messages.filter(({ events }) => events.some(({ type }) => type === 'delete'));
    expect(deletes.length).toBeGreaterThan(1);
    expect(deletes.map(({ fragment }) => fragment)).toEqual([
      ...Array<boolean>(deletes.length - 1).fill(true),
      false,
    ]);
    stream.close();
  });

  it('carries 10,000 watches', async () => {
    const { stream, messages } = client.watch();
    for (let i = 1; i <= 10_000; i++) stream.send(watchOf(BigInt(i), toRange(`many/${i}`)));
    await vi.waitFor(() => expect(messages.length).toBe(10_000), { timeout: 15_000 });
    await client.call('txn', txn({ then: [1, 5_000, 10_000].map((i) => put(`many/${i}`, '')) }));
    await vi.waitFor(() => expect(messages.length).toBe(10_003), patience);
    expect(
      messages
        .slice(-3)
        .map(({ watchId }) => Number(watchId))
        .sort((a, b) => a - b),
    ).toEqual([1, 5_000, 10_000]);
    stream.close();
  }, 20_000);
});

describe('a keep-alive stream', () => {
  it('renews 1,000 leases, and says of an absent one that it has no time left', async () => {
    const grants = Array.from({ length: 1_000 }, () => client.call('leaseGrant', { id: 0n, ttlSeconds: 60 }));
    const leases = (await Promise.all(grants)).map(({ id }) => id);
    const { stream, messages } = client.keepAlive();
    for (const lease of leases) stream.send({ lease });
    stream.send({ lease: 424_242n });
    await vi.waitFor(() => expect(messages).toHaveLength(1_001), { timeout: 10_000 });
    expect(messages.slice(0, -1).map(({ lease }) => lease)).toEqual(leases);
    expect(new Set(messages.slice(0, -1).map(({ ttlSeconds }) => ttlSeconds))).toEqual(new Set([60]));
    expect(messages.at(-1)).toMatchObject({ lease: 424_242n, ttlSeconds: 0 });
    stream.close();
  }, 20_000);
});

describe('the end of a stream', () => {
  it('is silent when it comes from this side', async () => {
    const { stream, messages, ends } = client.watch();
    stream.send(watchOf(1n, toRange('silent')));
    await created(messages, 1n);
    const before = messages.length;
    stream.close();
    stream.close();
    stream.send(watchOf(2n, toRange('silent')));
    await client.call('put', put('silent', ''));
    const { stream: later, messages: seen } = client.watch();
    later.send(watchOf(1n, toRange('silent'), { startRevision: 1n }));
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0), patience); // time in which the first could have heard
    expect([messages.length, ends]).toEqual([before, []]);
    later.close();
  });

  it('is silent also when it was not open yet', async () => {
    const { stream, messages, ends } = client.watch();
    stream.send(watchOf(1n, toRange('k')));
    stream.close();
    await client.call('put', put('k', ''));
    expect([messages, ends]).toEqual([[], []]);
  });

  it('is reported once when the connection is lost, and what is sent after it goes nowhere', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await using proxied = new Client(proxy.endpoint);
    const watch = proxied.watch();
    const keepAlive = proxied.keepAlive();
    watch.stream.send(watchOf(1n, { key: toBytes('k') }));
    await created(watch.messages, 1n);

    proxy.cut();

    await vi.waitFor(() => expect([watch.ends.length, keepAlive.ends.length]).toEqual([1, 1]), patience);
    watch.stream.send(watchOf(2n, { key: toBytes('k') }));
    keepAlive.stream.send({ lease: 1n });
    await proxied.call('put', put('k', '')); // on a new connection
    expect([watch.ends.length, keepAlive.ends.length, watch.messages.length]).toEqual([1, 1, 1]);
    expect(watch.ends[0]).toMatchObject({ status: 'unavailable', neverSent: false });
  });

  it('is reported when there is no server', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await proxy.set('refuse');
    await using proxied = new Client(proxy.endpoint);
    const { ends } = proxied.watch();
    expect(ends).toEqual([]); // never before the stream was returned
    await vi.waitFor(
      () => expect(ends).toMatchObject([{ status: 'unavailable', neverSent: true }]),
      patience,
    );
  });

  it('is reported for an endpoint the transport does not have', async () => {
    const ends: unknown[] = [];
    client.transport.watchStream('http://127.0.0.1:1', {
      message: () => {},
      ended: (error) => ends.push(error),
    });
    await vi.waitFor(
      () => expect(ends).toMatchObject([{ status: 'invalid-argument', neverSent: true }]),
      patience,
    );
  });
});
