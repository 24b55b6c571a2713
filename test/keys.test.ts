import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import {
  checkNamespace,
  counterKey,
  configKey,
  decodeName,
  delayKey,
  encodeName,
  gateKey,
  idsKey,
  linePrefix,
  messageKey,
  receiptPrefix,
  sessionKey,
  ticketName,
} from '../src/base/keys.js';
import { BarrierKeys } from '../src/barrier/barrier-keys.js';
import { encodeOutcome } from '../src/barrier/outcome-value.js';
import { type Conclave, connect, prefix, toText } from '../src/index.js';
import { GroupLayout } from '../src/membership/group-layout.js';
import { ShardsLayout } from '../src/membership/shards-layout.js';
import { QueueLayout } from '../src/queue/layout.js';
import { itemName, itemPrefix, nextItemName, priorityKeys } from '../src/queue/recipe-keys.js';
import { lineOf } from '../src/session/line-kinds.js';
import { encodeMessage } from '../src/session/release-request.js';
import { encodeTicket } from '../src/session/ticket-value.js';
import { root } from './project/program.js';

// Golden: clients of different versions, and programs in other languages, share these keys. Whoever changes a line here
// changes it for them, too, and needs a new version number in the values, or a new place.

const lease = 0x7d3a5c90b1e4fn;

const cyclic = new BarrierKeys('conclave', 'cyclic barrier', 'c');
const double = new BarrierKeys('conclave', 'double barrier', 'd');

const queue = new QueueLayout('conclave', 'q');
const group = new GroupLayout('conclave', 'g');
const shards = new ShardsLayout('conclave', group, 8);
const id = 'order/42';

const layout = {
  session: sessionKey('conclave', lease),
  'asked for': messageKey(sessionKey('conclave', lease), 'ask', ticketName(lease, 1)),
  'taken by force': messageKey(sessionKey('conclave', lease), 'forced', ticketName(lease, 1)),
  "mutex('orders/42')": linePrefix('conclave', 'lock', 'orders/42') + ticketName(lease, 1),
  "mutex('a b')": linePrefix('conclave', 'lock', 'a b') + ticketName(lease, 2),
  "mutex({ path: '/l/x' })": linePrefix('conclave', 'lock', { path: '/l/x' }) + ticketName(lease, 3),
  "rwLock('r')": linePrefix('conclave', 'rw', 'r') + ticketName(lease, 4),
  "semaphore('s')": lineOf('conclave', 'semaphore', 's').keyOf(ticketName(lease, 5)),
  'its limit': `${linePrefix('conclave', 'semaphore', 's')}limit`,
  'its limit before': `${linePrefix('conclave', 'semaphore', 's')}before`,
  "gate('g')": gateKey('conclave', 'g'),
  "gate({ path: '/g' })": gateKey('conclave', { path: '/g' }),
  "latch('l')": `${linePrefix('conclave', 'latch', 'l')}count`,
  'its arrivals': `${linePrefix('conclave', 'latch', 'l')}arrived/host-7`,
  "counter('c')": counterKey('conclave', 'c'),
  "ids('orders/42')": idsKey('conclave', 'orders/42'),
  "cyclicBarrier('c')": cyclic.in + ticketName(lease, 6),
  'its outcomes': cyclic.out(42n),
  "doubleBarrier('d')": double.in + ticketName(lease, 7),
  'its left': double.left,
  'leaving it': double.leaving(42n) + ticketName(lease, 8),
  'how that ended': double.leaveOut(42n),
  'lock delay': delayKey('conclave', linePrefix('conclave', 'lock', 'orders/42')),
  receipt: `${receiptPrefix('conclave', lease)}1`,
  "a job of queue('q')": queue.job(id),
  'it may be taken': queue.ready.lane(5).keyOf(42n, 1, id),
  'waits for its group': queue.group('ann').lane(5).keyOf(42n, 1, id),
  'waits for its time': queue.delayedAt(1_789_473_600_000, id),
  'where it waits': queue.placeOf(id),
  'it runs': queue.activeOf(id),
  'the claim on it': queue.claimsOf(id) + ticketName(lease, 9),
  'it is to stop': queue.cancelOf(id),
  'its result': queue.result(id),
  'its dead letter': queue.deadOf(id),
  "its group's slot": queue.slot('ann', 0),
  'a floor': queue.ready.lane(5).floorKey,
  'a floor of a group': queue.group('ann').lane(5).floorKey,
  'a schedule': queue.schedule('nightly'),
  'a waiting worker': `${queue.workers}t/${ticketName(lease, 10)}`,
  paused: queue.paused,
  upkeep: queue.upkeep + ticketName(lease, 11),
  'a permit': `${queue.permits}t/${ticketName(lease, 12)}`,
  "a member of group('g')": group.lineOf('host/7').keyOf(ticketName(lease, 13)),
  'the plan of its shards': shards.plan.prefix,
  'one of its shards': shards.lineOf(3).keyOf(ticketName(lease, 14)),
  'who would have some': shards.candidates.keyOf(ticketName(lease, 15)),
  "config('limits')": configKey('conclave', 'limits'),
  "config({ path: '/c' })": configKey('conclave', { path: '/c' }),
  "settings('limits')": `${configKey('conclave', 'limits')}/a/b c`,
  "queue, path '/q'": itemPrefix('/q') + itemName(1_789_473_600_000, 0.123456),
  'with priority 7': priorityKeys('/q', 7).start + String(nextItemName(undefined)),
  'and its guard': priorityKeys('/q', 7).guard,
};

it('the layout of the keys is what it has always been', () => {
  expect(layout).toEqual({
    session: 'conclave/session/0007d3a5c90b1e4f',
    'asked for': 'conclave/session/0007d3a5c90b1e4f/ask/7d3a5c90b1e4f-1',
    'taken by force': 'conclave/session/0007d3a5c90b1e4f/forced/7d3a5c90b1e4f-1',
    "mutex('orders/42')": 'conclave/lock/orders%2F42/7d3a5c90b1e4f-1',
    "mutex('a b')": 'conclave/lock/a%20b/7d3a5c90b1e4f-2',
    "mutex({ path: '/l/x' })": '/l/x/7d3a5c90b1e4f-3',
    "rwLock('r')": 'conclave/rw/r/7d3a5c90b1e4f-4',
    "semaphore('s')": 'conclave/semaphore/s/t/7d3a5c90b1e4f-5',
    'its limit': 'conclave/semaphore/s/limit',
    'its limit before': 'conclave/semaphore/s/before',
    "gate('g')": 'conclave/gate/g',
    "gate({ path: '/g' })": '/g',
    "latch('l')": 'conclave/latch/l/count',
    'its arrivals': 'conclave/latch/l/arrived/host-7',
    "counter('c')": 'conclave/counter/c',
    "ids('orders/42')": 'conclave/ids/orders%2F42',
    "cyclicBarrier('c')": 'conclave/cyclic-barrier/c/in/7d3a5c90b1e4f-6',
    'its outcomes': 'conclave/cyclic-barrier/c/out/000000000000002a',
    "doubleBarrier('d')": 'conclave/double-barrier/d/in/7d3a5c90b1e4f-7',
    'its left': 'conclave/double-barrier/d/left',
    'leaving it': 'conclave/double-barrier/d/leave/000000000000002a/in/7d3a5c90b1e4f-8',
    'how that ended': 'conclave/double-barrier/d/leave/000000000000002a/out',
    'lock delay': 'conclave/delay/conclave%2Flock%2Forders%252F42%2F',
    receipt: 'conclave/did/0007d3a5c90b1e4f/1',
    "a job of queue('q')": 'conclave/queue/q/job/order%2F42',
    'it may be taken': 'conclave/queue/q/ready/5/000000000000002a-0001/order%2F42',
    'waits for its group': 'conclave/queue/q/group/ann/5/000000000000002a-0001/order%2F42',
    'waits for its time': 'conclave/queue/q/delayed/000001a0a4f03200/order%2F42',
    'where it waits': 'conclave/queue/q/place/order%2F42',
    'it runs': 'conclave/queue/q/active/order%2F42',
    'the claim on it': 'conclave/queue/q/active/order%2F42/7d3a5c90b1e4f-9',
    'it is to stop': 'conclave/queue/q/cancel/order%2F42',
    'its result': 'conclave/queue/q/result/order%2F42',
    'its dead letter': 'conclave/queue/q/dead/order%2F42',
    "its group's slot": 'conclave/queue/q/slot/ann/0',
    'a floor': 'conclave/queue/q/floor/ready/5',
    'a floor of a group': 'conclave/queue/q/floor/group/ann/5',
    'a schedule': 'conclave/queue/q/schedule/nightly',
    'a waiting worker': 'conclave/queue/q/workers/t/7d3a5c90b1e4f-10',
    paused: 'conclave/queue/q/workers/paused',
    upkeep: 'conclave/queue/q/upkeep/7d3a5c90b1e4f-11',
    'a permit': 'conclave/queue/q/permits/t/7d3a5c90b1e4f-12',
    "a member of group('g')": 'conclave/group/g/host%2F7/7d3a5c90b1e4f-13',
    'the plan of its shards': 'conclave/shards/g',
    'one of its shards': 'conclave/lock/g%2Fshards%2F3/7d3a5c90b1e4f-14',
    'who would have some': 'conclave/election/g%2Fshards/7d3a5c90b1e4f-15',
    "config('limits')": 'conclave/config/limits',
    "config({ path: '/c' })": '/c',
    "settings('limits')": 'conclave/config/limits/a/b c',
    "queue, path '/q'": '/q/1789473600000123456',
    'with priority 7': '/q/00007/0000000000000000',
    'and its guard': '__/q/00007',
  });
});

it('docs/keys.md shows this layout', () => {
  const documented = readFileSync(join(root, 'docs/keys.md'), 'utf8');
  for (const [what, key] of Object.entries(layout))
    expect(documented).toContain(`${what.padEnd(25)}${key}\n`);
});

it('the value of a ticket is what it has always been, and what docs/keys.md shows', () => {
  const holder = { name: 'host-7:4711', host: 'host-7', pid: 4711, ns: 'conclave' };
  const value = encodeTicket(holder, 1_789_473_600_000);
  expect(value).toBe(
    '{"v":1,"holder":{"name":"host-7:4711","host":"host-7","pid":4711,"ns":"conclave"},"since":1789473600000}',
  );
  expect(JSON.parse(documentedValues()[0] ?? '')).toEqual(JSON.parse(value));
});

it('what is said to a session is what it has always been, and what docs/keys.md shows', () => {
  const by = { name: 'ops', host: 'host-8', pid: 815, ns: 'conclave' };
  const value = encodeMessage({ by, reason: 'deploy', deadlineMs: 10_000, at: 1_789_473_600_000 });
  expect(value).toBe(
    '{"v":1,"by":{"name":"ops","host":"host-8","pid":815,"ns":"conclave"},"reason":"deploy","deadlineMs":10000,"at":1789473600000}',
  );
  expect(JSON.parse(documentedValues()[3] ?? '')).toEqual(JSON.parse(value));
});

it('an outcome of a barrier is what it has always been, and what docs/keys.md shows', () => {
  const party = { ticket: ticketName(lease, 6), holder: 'host-7:4711' };
  const tripped = encodeOutcome({ kind: 'tripped', parties: [party] });
  const broken = encodeOutcome({ kind: 'broken', by: party });
  expect(tripped).toBe(
    '{"v":1,"kind":"tripped","parties":[{"ticket":"7d3a5c90b1e4f-6","holder":"host-7:4711"}]}',
  );
  expect(broken).toBe('{"v":1,"kind":"broken","by":{"ticket":"7d3a5c90b1e4f-6","holder":"host-7:4711"}}');
  expect(JSON.parse(documentedValues()[1] ?? '')).toEqual(JSON.parse(tripped));
  expect(JSON.parse(documentedValues()[2] ?? '')).toEqual(JSON.parse(broken));
});

function documentedValues(): string[] {
  const documented = readFileSync(join(root, 'docs/keys.md'), 'utf8').matchAll(/```json\n([^]*?)```/g);
  return [...documented].map(([, json = '']) => json);
}

it('a ticket says what it wants where that matters', () => {
  const holder = { name: 'me', host: 'host-7', pid: 4711, ns: 'conclave' };
  const start =
    '{"v":1,"holder":{"name":"me","host":"host-7","pid":4711,"ns":"conclave"},"since":1789473600000,';
  expect(encodeTicket(holder, 1_789_473_600_000, { mode: 'read' })).toBe(`${start}"mode":"read"}`);
  expect(encodeTicket(holder, 1_789_473_600_000, { mode: 'write' })).toBe(`${start}"mode":"write"}`);
  expect(encodeTicket(holder, 1_789_473_600_000, { weight: 3 })).toBe(`${start}"weight":3}`);
});

/** Everything in the store, with the session's lease called LEASE. */
async function stored(conclave: Conclave): Promise<Record<string, string>> {
  const { kvs } = await conclave.store.get(prefix(''));
  const named = (text: string): string => text.replace(/[0-9a-f]{10,16}/, 'LEASE');
  return Object.fromEntries(
    kvs.map((kv) => {
      const value = toText(kv.value);
      const wish = value.startsWith('{') ? value.replace(/.*"since":\d+,?/, '{') : value;
      return [named(toText(kv.key)), `${named(wish)}${kv.lease === 0n ? '' : ' (leased)'}`];
    }),
  );
}

it('each kind of lock puts what docs/keys.md says, and leaves what it says', async () => {
  await using conclave = await connect('memory:');
  const semaphore = conclave.semaphore('s', { limit: 5 });
  const holds = [
    await conclave.mutex('m', { lockDelayMs: 5 }).acquire(),
    await conclave.rwLock('r').read.acquire(),
    await conclave.rwLock('w').write.acquire(),
    await semaphore.acquire({ permits: 2 }),
    await conclave.semaphore({ path: '/p' }, { limit: 1 }).acquire(),
    await conclave.rwLock({ path: '/q' }).write.acquire(),
  ];
  await semaphore.resize(3);

  expect(await stored(conclave)).toMatchObject({
    'conclave/lock/m/LEASE-1': '{} (leased)',
    'conclave/delay/conclave%2Flock%2Fm%2F': 'conclave/lock/m/LEASE-1',
    'conclave/rw/r/LEASE-2': '{"mode":"read"} (leased)',
    'conclave/rw/w/LEASE-3': '{"mode":"write"} (leased)',
    'conclave/semaphore/s/t/LEASE-4': '{"weight":2} (leased)',
    'conclave/semaphore/s/limit': '3',
    'conclave/semaphore/s/before': '5',
    '/p/t/LEASE-5': '{"weight":1} (leased)',
    '/p/limit': '1',
    '/q/LEASE-6': '{"mode":"write"} (leased)',
    'conclave/did/LEASE/1': '1 (leased)',
  });

  for (const hold of holds) await hold.release();
  expect(Object.keys(await stored(conclave))).toEqual([
    '/p/limit',
    'conclave/did/LEASE/1',
    'conclave/semaphore/s/before',
    'conclave/semaphore/s/limit',
    'conclave/session/LEASE',
  ]);
});

it('barriers, gates and latches put what docs/keys.md says, and leave what it says', async () => {
  await using conclave = await connect('memory:');
  await conclave.gate('g').close();
  await conclave.gate({ path: '/g' }).close({ whileAlive: true });
  const latch = conclave.latch('l', { count: 2 });
  await latch.arrive('a/b');
  const stop = new AbortController();
  const first = conclave
    .cyclicBarrier('c', { parties: 3 })
    .wait()
    .catch(() => {});
  const second = conclave
    .cyclicBarrier('c', { parties: 3 })
    .wait({ signal: stop.signal })
    .catch(() => {});
  const [pass, other] = await Promise.all(
    [1, 2].map(() => conclave.doubleBarrier('d', { parties: 2 }).enter()),
  );
  stop.abort();
  await second;
  const leaving = pass?.leave();
  await conclave.store.get('any');

  expect(await stored(conclave)).toMatchObject({
    'conclave/gate/g': '{}',
    '/g': '{} (leased)',
    'conclave/latch/l/count': '2',
    'conclave/latch/l/arrived/a%2Fb': '{}',
    'conclave/cyclic-barrier/c/in/LEASE-1': '{"parties":3} (leased)',
    'conclave/cyclic-barrier/c/left': 'LEASE-2',
    'conclave/double-barrier/d/in/LEASE-4': '{"parties":2} (leased)',
    // Only the first number is called so here: that of the outcome.
    [`conclave/double-barrier/d/leave/LEASE/in/${/in\/(.*)-/.exec(pass?.key ?? '')?.[1]}-5`]:
      '{"entered":"LEASE-3"} (leased)',
  });

  await other?.leave();
  await leaving;
  await conclave
    .cyclicBarrier('c', { parties: 3 })
    .wait({ timeoutMs: 0 })
    .catch(() => {});
  await Promise.all([1, 2].map(() => conclave.cyclicBarrier('c', { parties: 3 }).wait()));
  await first;
  await conclave.gate('g').open();
  await latch.reset();
  const rest = await vi.waitFor(async () => {
    const keys = Object.keys(await stored(conclave));
    expect(keys.filter((key) => key.includes('barrier'))).toEqual([]);
    return keys;
  });
  expect(rest.filter((key) => !/session|did/.test(key))).toEqual(['/g']);
});

it('a process that holds a lock has put its session and its ticket, and nothing else', async () => {
  const conclave = await connect({ endpoints: ['memory:'], namespace: 'team/shop', holder: 'me' });
  const hold = await conclave.mutex('orders/42').acquire();
  const { kvs } = await conclave.store.get(prefix(''));
  const session = await conclave.store.get(prefix('team/shop/session/'));
  await hold.release();
  const afterwards = await conclave.store.get(prefix('team/shop/lock/'));
  await conclave.close();

  expect(kvs.map(({ key }) => toText(key).replace(/[0-9a-f]{10,16}/, 'LEASE'))).toEqual([
    'team/shop/lock/orders%2F42/LEASE-1',
    'team/shop/session/LEASE',
  ]);
  expect(new Set(kvs.map((kv) => kv.lease)).size).toBe(1);
  expect(JSON.parse(toText(session.kvs[0]!.value))).toEqual({
    v: 1,
    holder: { name: 'me', host: expect.any(String) as string, pid: process.pid, ns: 'team/shop' },
  });
  expect(afterwards.kvs).toEqual([]);
});

it.each(['a', 'a/b', '%2F', ' ', 'ü', '日本', '.', '..', 'x'.repeat(512)])(
  'the name %j survives its encoding',
  (name) => {
    const encoded = encodeName(name);
    expect(encoded).not.toContain('/');
    expect(decodeName(encoded)).toBe(name);
  },
);

it('names and namespaces that would end up elsewhere are refused', () => {
  expect(() => encodeName('')).toThrow(TypeError);
  expect(() => encodeName('\ud800')).toThrow(TypeError);
  expect(() => encodeName('x'.repeat(513))).toThrow(RangeError);
  expect(() => linePrefix('conclave', 'lock', { path: '' })).toThrow(TypeError);
  for (const namespace of ['', '/a', 'a/']) expect(() => checkNamespace(namespace)).toThrow(TypeError);
});

it('each part of a queue puts what docs/keys.md says, and leaves what it says', async () => {
  await using conclave = await connect('memory:');
  const jobs = conclave.queue('q', { maxRunning: 5 });
  await jobs.enqueue('x', { id: 'dead' });
  await (await jobs.receive()).fail('no');
  await jobs.enqueue('x', { id: 'done' });
  await (await jobs.receive()).ack('y');
  await jobs.enqueue('x', { id: 'late', runAt: 4_102_444_800_000 });
  await jobs.enqueue('x', { id: 'running' });
  const delivery = await jobs.receive();
  await jobs.cancel('running');
  await jobs.enqueue('x', { id: 'waiting', priority: 5 });
  await jobs.schedule('s', { everyMs: 3_600_000 }, 'x');
  await jobs.pause();

  const keys = Object.keys(await stored(conclave)).map((key) =>
    key.replace(/LEASE-[0-9a-f]{4}\//, 'REVISION/'),
  );
  const start = 'conclave/queue/q/';
  const places = new Set(keys.filter((key) => key.startsWith(start)).map((key) => key.slice(start.length)));
  for (const place of [
    'active/running',
    'cancel/running',
    'dead/dead',
    'floor/ready/0',
    'floor/ready/5',
    'job/late',
    'job/running',
    'job/waiting',
    'ready/5/REVISION/waiting',
    'result/done',
    'schedule/s',
    'workers/paused',
  ])
    expect(places).toContain(place);
  expect(JSON.parse(toText((await conclave.store.get(`${start}schedule/s`)).kvs[0]!.value))).toEqual({
    v: 1,
    timing: { everyMs: 3_600_000 },
    catchUp: 'last',
    job: { value: 'x', priority: 0, attempts: 3, backoff: { minMs: 1_000, maxMs: 3_600_000 } },
    since: expect.any(Number) as number,
    upTo: expect.any(Number) as number,
  });
  await delivery.ack();
});

it('counters and ids are decimal text, and stay', async () => {
  await using conclave = await connect('memory:');
  await conclave.counter('c').add(-5);
  await conclave.ids('i', { block: 10 }).next();
  const { 'conclave/counter/c': counter, 'conclave/ids/i': ids } = await stored(conclave);
  expect([counter, ids]).toEqual(['-5', '11']);
});
