// Several clients of Conclave in one process, which take and give back over and over until told to stop: see crowd.ts, and
// process-protocol.js for how it is spoken to. What it says counts even if it is killed.
import { setTimeout as delay } from 'node:timers/promises';

import { connect, get, put } from '../../dist/index.js';
import { describe, say, serve, standStill } from './process-protocol.js';

/** @typedef {import('../../dist/index.js').Conclave} Conclave */
/** @typedef {import('../../dist/index.js').Hold} Hold */
/** @typedef {import('../../dist/index.js').Queue} Queue */

/** @type {Conclave[]} */
let clients = [];
/** One for each client: whoever has received looks after its queue until the client closes. @type {Map<Conclave, Queue>} */
const queues = new Map();
const stopping = new AbortController();
let isWorking = false;
let willStop = false;

/** @type {Record<string, (args: any) => unknown>} */
const commands = {
  async connect({ options, size }) {
    clients = await Promise.all(Array.from({ length: size }, () => connect(options)));
  },

  work({ job }) {
    isWorking = true;
    void Promise.all(clients.map((client) => work(client, job))).then(() => say({ event: 'idle' }));
  },

  /** The worst moment: holding, and about to write. */
  stopAtNextWrite() {
    willStop = true;
  },

  stopWorking() {
    isWorking = false;
    stopping.abort();
  },

  /** Each client puts jobs, one after the other. Answers when all are confirmed. */
  async produce({ job, ids }) {
    const share = Math.ceil(ids.length / clients.length);
    await Promise.all(
      clients.map((client, i) => produce(client, job, ids.slice(i * share, (i + 1) * share))),
    );
  },
};

/** @param {Conclave} client @param {any} job */
async function work(client, job) {
  while (isWorking) {
    try {
      await turns[job.kind]?.(client, job);
    } catch (error) {
      if (error !== stopping.signal.reason) say({ event: 'setback', failure: describe(error) });
    }
  }
}

/** What one client does once. @type {Record<string, (client: Conclave, job: any) => Promise<void>>} */
const turns = {
  /** Adds one to a counter under a mutex. */
  async counter(client, { name, counter, isFenced }) {
    await client.mutex(name).run((hold) => increment(client, hold, counter, isFenced), { timeoutMs: 10_000 });
  },

  async semaphore(client, { name, limit, marks }) {
    const permits = 1 + below(3);
    const semaphore = client.semaphore(name, { limit });
    await semaphore.run((hold) => use(client, hold, { marks, permits }), { permits, ...patience() });
  },

  async rwLock(client, { names, marks }) {
    // Mostly the first one, which is busy; at another one somebody may be alone.
    const lock = client.rwLock(names[oneIn(3) ? 1 + below(names.length - 1) : 0]);
    const read = { marks, mode: 'read' };
    const write = { marks, mode: 'write' };
    if (oneIn(3)) {
      await lock.write.run(async (writer) => {
        await use(client, writer, write);
        if (oneIn(2)) return;
        const reader = await writer.downgrade();
        say({ event: 'downgraded' });
        await use(client, reader, read);
      }, patience());
    } else {
      await lock.read.run(async (reader) => {
        await use(client, reader, read);
        if (oneIn(2)) return;
        const writer = await reader.tryUpgrade();
        say({ event: writer ? 'upgraded' : 'not alone' });
        if (writer) await use(client, writer, write);
      }, patience());
    }
  },

  /** Leads once, and proclaims now and then. */
  async election(client, { name, marks, pauseMs }) {
    await delay(below(pauseMs));
    const election = client.election(name);
    const value = `v${below(1e9)}`;
    /** @param {import('../../dist/index.js').Leadership} leadership */
    const reign = async (leadership) => {
      await use(client, leadership, { marks });
      for (let i = below(3); i > 0; i--) await leadership.proclaim(`${value}/${i}`);
    };
    if (oneIn(2)) {
      const leadership = await election.campaign(value, patience());
      await reign(leadership).finally(() => leadership.resign());
    } else {
      const over = new AbortController();
      const once = async (leadership) => reign(leadership).then(() => over.abort());
      await election.lead(once, { value, signal: over.signal, pauseMs: 0 });
    }
  },

  /** Does one job of a queue, or finds that there is none. */
  async queue(client, { name, marks, options }) {
    const queue = queueOf(client, name, options);
    const delivery = oneIn(3) ? await ask(client, queue) : await queue.receive({ signal: stopping.signal });
    if (!delivery) return delay(below(100));
    const { id, fencingToken: token } = delivery;
    say({ event: 'delivered', job: id, token });
    try {
      await use(client, delivery, { marks, job: id });
      await delivery.ack();
      say({ event: 'done', job: id, token });
    } catch (error) {
      say({ event: 'not done', job: id, token });
      await delivery[Symbol.asyncDispose]();
      throw error;
    }
  },

  async multiLock(client, { names, marks }) {
    const some = shuffled(names).slice(0, 1 + below(4));
    const facts = { marks, names: some };
    // Alone it is a mutex as often as not. None gives up: who waits for ever waits in a circle.
    if (some.length === 1 && oneIn(2)) await client.mutex(some[0]).run((hold) => use(client, hold, facts));
    else await client.multiLock(some).run((hold) => use(client, hold, facts));
  },
};

/**
 * Says that it holds and since which revision at the latest, stays for a while, and then writes, whatever it believes by
 * then: the store decides, by a guard taken when it got the hold.
 *
 * @param {Conclave} client @param {Hold} hold @param {any} facts
 */
async function use(client, hold, { marks, ...facts }) {
  const { key, fencingToken: token } = hold;
  const fence = hold.guard();
  const { header, succeeded } = await client.store.txn({ if: fence, then: [get(key)] });
  if (!succeeded) return;
  say({ event: 'granted', token, key, revision: header.revision, ...facts });
  await delay(below(40));
  const write = () => client.store.txn({ if: fence, then: [put(`${marks}/${token}`, key)] });
  const answer = await (stoodStill(hold) ? untilAnswered(write) : write());
  say({ event: answer.succeeded ? 'acked' : 'refused', token, key, revision: answer.header.revision });
}

/** @param {Conclave} client @param {string} name @param {object} options */
function queueOf(client, name, options) {
  const queue = queues.get(client) ?? client.queue(name, options);
  queues.set(client, queue);
  return queue;
}

/** Takes a job if there is one; says between which revisions there was none. @param {Conclave} client @param {Queue} queue */
async function ask(client, queue) {
  const from = await presentRevision(client);
  try {
    return await queue.receive({ timeoutMs: 0 });
  } catch (error) {
    const { code, message } = describe(error);
    // Unless something stood in the way.
    if (code !== 'WAIT_TIMEOUT' || message.includes(';')) throw error;
    say({ event: 'empty', from, to: await presentRevision(client) });
    return undefined;
  }
}

/** @param {Conclave} client */
async function presentRevision(client) {
  return (await client.store.get('nothing')).header.revision;
}

/** Asks again, by the same id, for what may not have been done. @param {Conclave} client @param {any} job @param {string[]} ids */
async function produce(client, { name, options }, ids) {
  const queue = queueOf(client, name, options);
  for (const id of ids) {
    const began = process.hrtime.bigint();
    say({ event: 'wanted', job: id });
    for (;;) {
      try {
        const { created } = await queue.enqueue({ id }, { id });
        say({ event: 'enqueued', job: id, created, began, returned: process.hrtime.bigint() });
        break;
      } catch (error) {
        say({ event: 'setback', failure: describe(error) });
        await delay(below(100));
      }
    }
  }
}

/** @param {Conclave} client @param {Hold} hold @param {string} counter @param {boolean} isFenced */
async function increment(client, hold, counter, isFenced) {
  const { key, fencingToken: token } = hold;
  // A read under the guard is not older than the hold.
  const fence = isFenced ? hold.guard() : [];
  const { header, succeeded, responses } = await client.store.txn({ if: fence, then: [get(counter)] });
  if (!succeeded) return;
  say({ event: 'granted', token, key, revision: header.revision });
  const value = Number(Buffer.from(responses[0].kvs[0]?.value ?? []).toString() || 0);
  say({ event: 'trying', token });
  const write = () => client.store.txn({ if: fence, then: [put(counter, String(value + 1))] });
  try {
    const answer = await (stoodStill(hold) ? untilAnswered(write) : write());
    say({ event: answer.succeeded ? 'acked' : 'refused', token, key, revision: answer.header.revision });
  } catch (error) {
    if (describe(error).code === 'UNAVAILABLE') say({ event: 'unsent', token });
    throw error;
  }
}

/** @param {Hold} hold */
function stoodStill({ key, fencingToken: token }) {
  if (!willStop) return false;
  willStop = false;
  say({ event: 'stopping', token, key });
  standStill();
  return true;
}

/** For a write that came too late: what the store says to it is the point. @template T @param {() => Promise<T>} write */
async function untilAnswered(write) {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!['UNAVAILABLE', 'OUTCOME_UNKNOWN'].includes(describe(error).code)) throw error;
    }
  }
}

/** Some give up soon. */
function patience() {
  return oneIn(10) ? { timeoutMs: below(200) } : {};
}

/** @param {number} end */
function below(end) {
  return Math.floor(Math.random() * end);
}

/** @param {number} n */
function oneIn(n) {
  return below(n) === 0;
}

/** @template T @param {readonly T[]} list @returns {T[]} */
function shuffled(list) {
  return list
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

serve(commands, async () => {
  await Promise.all(clients.map((client) => client.close()));
});
