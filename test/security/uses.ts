import { once } from 'node:events';

import type { Conclave, Place } from '../../src/index.js';

/** Each uses all of one primitive that needs the store, as `conclave` may. Rejects if anything of it is refused. */
export type Use = (conclave: Conclave) => Promise<void>;

async function firstOf<T>(iterable: AsyncIterable<T>): Promise<T | undefined> {
  for await (const each of iterable) return each;
  return undefined;
}

/** A name that has to be escaped. */
const name = 'a/b c';

const lock = async (conclave: Conclave, place: Place): Promise<void> => {
  const mutex = conclave.mutex(place);
  const hold = await mutex.acquire();
  await mutex.inspect();
  await mutex.tryAcquire();
  const [next] = await Promise.all([mutex.acquire(), hold.release()]);
  await next.release();
};

const elect = async (conclave: Conclave, place: Place): Promise<void> => {
  const election = conclave.election(place);
  const leadership = await election.campaign('one');
  await leadership.proclaim('two');
  await election.candidates();
  for await (const { leader } of election.observe()) if (leader?.value === 'two') break;
  await leadership.resign();
};

const guardGate = async (conclave: Conclave, place: Place): Promise<void> => {
  const gate = conclave.gate(place);
  await gate.close();
  await Promise.all([gate.wait(), gate.open()]);
  await gate.close({ whileAlive: true });
  await gate.open();
};

const readWrite: Use = async (conclave) => {
  const { read, write } = conclave.rwLock(name);
  const reader = await read.acquire();
  const [writer] = await Promise.all([write.acquire(), reader.release()]);
  await (await writer.downgrade()).release();
};

const permits: Use = async (conclave) => {
  const semaphore = conclave.semaphore(name, { limit: 1 });
  const hold = await semaphore.acquire();
  const [next] = await Promise.all([semaphore.acquire(), semaphore.resize(2)]);
  await next.release();
  await hold.release();
  await semaphore.inspect();
};

const enterAndLeave: Use = async (conclave) => {
  const barrier = conclave.doubleBarrier(name, { parties: 2 });
  await Promise.all([barrier.run(() => {}), barrier.run(() => {})]);
  await firstOf(barrier.observe());
};

const meet: Use = async (conclave) => {
  const barrier = conclave.cyclicBarrier(name, { parties: 2 });
  await Promise.all([barrier.wait(), barrier.wait()]);
  await firstOf(barrier.observe());
};

const countDown: Use = async (conclave) => {
  const latch = conclave.latch(name, { count: 2 });
  await Promise.all([latch.wait(), latch.arrive('one'), latch.arrive()]);
  await latch.remaining();
  await latch.reset();
};

const jobs: Use = async (conclave) => {
  const queue = conclave.queue(name, { maxRunning: 2 });
  await queue.enqueue('fails', { id: 'fails', attempts: 1, priority: 5 });
  await queue.enqueue('grouped', { id: 'grouped', group: 'g', delayMs: 1 });
  await queue.enqueue('cancelled', { id: 'cancelled', runAt: new Date(Date.now() + 60_000) });
  await queue.cancel('cancelled');
  await queue.schedule('nightly', { everyMs: 3_600_000 }, 'tick');
  await queue.unschedule('nightly');
  await queue.pause();
  await queue.resume();
  const failing = await queue.receive();
  await failing.fail(new Error('no'));
  const grouped = await queue.receive();
  await grouped.progress('half');
  await Promise.all([queue.waitFor('grouped'), grouped.ack('done')]);
  await queue.deadLetters.drop('fails');
  await queue.inspect();
};

const askAndForce: Use = async (conclave) => {
  const mutex = conclave.mutex(name);
  const hold = await mutex.acquire();
  await Promise.all([
    once(hold.releaseRequested, 'abort'),
    conclave.requestRelease('mutex', name, { reason: 'please' }),
  ]);
  await Promise.all([once(hold.signal, 'abort'), conclave.forceRelease('mutex', name, { reason: 'now' })]);
};

const lookAround: Use = async (conclave) => {
  const seen: string[] = [];
  for await (const { kind } of conclave.list()) seen.push(kind);
};

const pathQueue = async (conclave: Conclave, path: string): Promise<void> => {
  const queue = conclave.queue({ path });
  await Promise.all([queue.dequeue(), queue.enqueue('one')]);
};

const pathPriorityQueue = async (conclave: Conclave, path: string): Promise<void> => {
  const queue = conclave.queue({ path }, { prioritized: true });
  await Promise.all([queue.dequeue(), queue.enqueue('one', 7)]);
};

/** Below the namespace. */
export const uses: Readonly<Record<string, Use>> = {
  mutex: (conclave) => lock(conclave, name),
  'mutex with lockDelayMs': async (conclave) => conclave.mutex(name, { lockDelayMs: 1_000 }).run(() => {}),
  rwLock: readWrite,
  semaphore: permits,
  multiLock: async (conclave) => conclave.multiLock([name, 'b']).run(() => {}),
  election: (conclave) => elect(conclave, name),
  gate: (conclave) => guardGate(conclave, name),
  doubleBarrier: enterAndLeave,
  cyclicBarrier: meet,
  latch: countDown,
  queue: jobs,
  'requestRelease, forceRelease': askAndForce,
  list: lookAround,
  counter: async (conclave) => {
    await conclave.counter(name).add(2);
    await conclave.counter(name).get();
  },
  ids: async (conclave) => {
    await conclave.ids(name).next();
  },
  group: async (conclave) => {
    const membership = await conclave.group(name).join('here');
    await conclave.group(name).members();
    await membership.update('there');
    await membership.leave();
  },
  shards: async (conclave) => {
    const stop = new AbortController();
    const work = (): void => stop.abort();
    await conclave.group(name).shards(1).run(work, { signal: stop.signal });
    await conclave.group(name).shards(1).inspect();
  },
  'config, settings': async (conclave) => {
    await using value = conclave.config(name, { fallback: 1 });
    await value.ready();
    await value.set(2);
    await value.update((before) => before + 1);
    await value.clear();
    await using settings = conclave.settings(name);
    await settings.ready();
    await settings.set('a', 1);
    await settings.delete('a');
  },
  withSession: async (conclave) => {
    await using own = await conclave.withSession({ ttlMs: 2_000 });
    await lock(own, name);
  },
};

/** On a path that is shared with other programs. */
export const usesOfPath: Readonly<Record<string, (conclave: Conclave, path: string) => Promise<void>>> = {
  mutex: (conclave, path) => lock(conclave, { path }),
  election: (conclave, path) => elect(conclave, { path }),
  gate: (conclave, path) => guardGate(conclave, { path }),
  config: async (conclave, path) => {
    await using value = conclave.config({ path }, { fallback: 1 });
    await value.ready();
    await value.set(2);
  },
  settings: async (conclave, path) => {
    await using settings = conclave.settings({ path });
    await settings.ready();
    await settings.set('a', 1);
  },
  queue: pathQueue,
  'queue with priorities': pathPriorityQueue,
};
