import { expect, it } from 'vitest';
import { toText } from '../../src/base/bytes.js';
import { get, prefix, put, remove } from '../../src/store/operations.js';
import type { KeepAliveMessage } from '../../src/store/transport.js';
import { Inbox, TestWatch, open, refusalOf, settled } from './support.js';

const grant = (id: bigint, ttlSeconds = 10): { id: bigint; ttlSeconds: number } => ({ id, ttlSeconds });

it('grants at least two seconds, under the id asked for or one of its own', () => {
  const { engine } = open();
  expect(engine.execute('leaseGrant', grant(7n, -1))).toMatchObject({ id: 7n, ttlSeconds: 2 });
  expect(engine.execute('leaseGrant', grant(0n, 3)).id).not.toBe(0n);
  expect(engine.execute('leaseList', {}).leases).toHaveLength(2);
});

it('refuses an id that is taken, and a TTL beyond all measure', () => {
  const { engine } = open();
  engine.execute('leaseGrant', grant(7n));
  expect(refusalOf(() => engine.execute('leaseGrant', grant(7n)))).toBe(
    'failed-precondition: etcdserver: lease already exists',
  );
  expect(refusalOf(() => engine.execute('leaseGrant', grant(8n, 9_000_000_001)))).toBe(
    'out-of-range: etcdserver: too large lease TTL',
  );
});

it('deletes the keys of a revoked lease in key order in one revision', async () => {
  const { engine } = open();
  engine.execute('leaseGrant', grant(7n));
  for (const key of ['b', 'c', 'a']) engine.execute('put', put(key, '', { lease: 7n }));
  const watch = new TestWatch(engine).create(prefix(''));
  expect(engine.execute('leaseRevoke', { id: 7n }).header.revision).toBe(5n);
  await settled();
  expect(watch.events).toEqual([['5 delete a', '5 delete b', '5 delete c']]);
  expect(refusalOf(() => engine.execute('leaseRevoke', { id: 7n }))).toBe(
    'not-found: etcdserver: requested lease not found',
  );
});

it('leaves a key alone that was detached, deleted and put again, or moved to another lease', () => {
  const { engine } = open();
  engine.execute('leaseGrant', grant(7n));
  engine.execute('leaseGrant', grant(8n));
  for (const key of ['detached', 'moved', 'reborn']) engine.execute('put', put(key, '', { lease: 7n }));
  engine.execute('put', put('detached', ''));
  engine.execute('put', put('moved', '', { lease: 8n }));
  engine.execute('remove', remove('reborn'));
  engine.execute('put', put('reborn', ''));
  const { revision } = engine.execute('leaseRevoke', { id: 7n }).header;
  expect(revision).toBe(8n); // nothing was deleted
  const { keys } = engine.execute('leaseTimeToLive', { id: 8n, keys: true });
  expect(keys.map(toText)).toEqual(['moved']);
});

it('tells the time a lease has left, and -1 for one that is gone', () => {
  const { engine, runtime } = open();
  engine.execute('leaseGrant', grant(7n));
  runtime.advance(3_100);
  expect(engine.execute('leaseTimeToLive', { id: 7n, keys: false })).toMatchObject({
    ttlSeconds: 6,
    grantedTtlSeconds: 10,
    keys: [],
  });
  expect(engine.execute('leaseTimeToLive', { id: 8n, keys: true })).toMatchObject({
    ttlSeconds: -1,
    grantedTtlSeconds: 0,
  });
});

it('expires a lease at the first scan after its time', () => {
  const { engine, runtime } = open();
  runtime.advance(123);
  engine.execute('leaseGrant', grant(7n, 2));
  engine.execute('put', put('a', '', { lease: 7n }));
  runtime.advance(1_999);
  expect(engine.execute('get', get('a')).count).toBe(1);
  runtime.advance(501);
  expect(engine.execute('get', get('a')).count).toBe(0);
});

it('renews a lease to its full time, and answers 0 for one that is gone', async () => {
  const { engine, runtime } = open();
  engine.execute('leaseGrant', grant(7n, 2));
  const inbox = new Inbox<KeepAliveMessage>();
  const stream = engine.keepAliveStream(inbox);
  for (let i = 0; i < 5; i++) {
    runtime.advance(1_500);
    stream.send({ lease: 7n });
  }
  stream.send({ lease: 8n });
  await settled();
  expect(inbox.messages.map(({ lease, ttlSeconds }) => [lease, ttlSeconds])).toEqual([
    ...Array.from({ length: 5 }, () => [7n, 2]),
    [8n, 0],
  ]);
});

it('answers a renewal after the expiry only once the lease is revoked, and holds up those behind it', async () => {
  const { engine, runtime } = open();
  engine.execute('leaseGrant', grant(8n, 60));
  runtime.advance(100); // so that the lease below expires between two scans
  engine.execute('leaseGrant', grant(7n, 2));
  runtime.advance(2_100);
  const inbox = new Inbox<KeepAliveMessage>();
  const stream = engine.keepAliveStream(inbox);
  stream.send({ lease: 7n });
  stream.send({ lease: 8n });
  await settled();
  expect(inbox.messages).toEqual([]);
  runtime.advance(500);
  await settled();
  expect(inbox.messages.map(({ ttlSeconds }) => ttlSeconds)).toEqual([0, 60]);
});

it('starts every TTL again on a change of the leader, also for one just expired', async () => {
  const { engine, runtime } = open();
  engine.execute('leaseGrant', grant(8n, 60));
  runtime.advance(100);
  engine.execute('leaseGrant', grant(7n, 2));
  runtime.advance(2_100);
  const inbox = new Inbox<KeepAliveMessage>();
  engine.keepAliveStream(inbox).send({ lease: 7n });
  engine.raftTerm += 1n;
  engine.extendLeases();
  await settled();
  expect(inbox.messages).toMatchObject([{ ttlSeconds: 2 }]);
  runtime.advance(1_900);
  expect(engine.execute('leaseTimeToLive', { id: 7n, keys: false })).toMatchObject({
    ttlSeconds: 0, // and not -1
    grantedTtlSeconds: 2,
    header: { raftTerm: 3n },
  });
});

it('expires a lease before its time when told to', () => {
  const { engine } = open();
  engine.execute('leaseGrant', grant(7n));
  engine.execute('put', put('a', '', { lease: 7n }));
  expect(engine.expireLease(7n)).toBe(true);
  expect(engine.expireLease(7n)).toBe(false);
  expect(engine.execute('get', get('a')).count).toBe(0);
});

it('has a timer only while there is a lease', () => {
  const { engine, runtime } = open();
  expect(runtime.pendingTimers).toBe(0);
  engine.execute('leaseGrant', grant(7n, 2));
  engine.execute('leaseGrant', grant(8n, 2));
  expect(runtime.pendingTimers).toBe(1);
  engine.execute('leaseRevoke', { id: 8n });
  expect(runtime.pendingTimers).toBe(1);
  runtime.advance(3_000);
  expect(runtime.pendingTimers).toBe(0);
  engine.execute('leaseGrant', grant(9n));
  engine.close();
  expect(runtime.pendingTimers).toBe(0);
});
