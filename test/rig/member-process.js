// A member of a group in a process of its own, which takes part in its shards or just stands there: see process-protocol.js
// for how it is spoken to. What it says counts even if it is killed.
import { setTimeout as delay } from 'node:timers/promises';

import { connect, get, put } from '../../dist/index.js';
import { describe, say, serve, standStill } from './process-protocol.js';

/** @typedef {import('../../dist/index.js').Conclave} Conclave */
/** @typedef {import('../../dist/index.js').Hold} Hold */

/** @type {Conclave} */
let conclave;
/** Those whose work runs. @type {Map<number, Hold>} */
const holds = new Map();
const stopping = new AbortController();
/** @type {Promise<void> | undefined} */
let running;

/** @type {Record<string, (args: any) => unknown>} */
const commands = {
  async connect({ options }) {
    conclave = await connect(options);
  },

  async join({ group, as, value }) {
    await conclave.group(group).join(value, { id: as });
  },

  run({ group, shards, marks }) {
    const options = { signal: stopping.signal };
    running = conclave
      .group(group)
      .shards(shards)
      .run((shard, hold) => own(shard, hold, marks), options);
    running.catch((error) => say({ event: 'failed', failure: describe(error) }));
  },

  async stop() {
    stopping.abort();
    await running;
  },

  /** Stops this process by SIGSTOP; whoever resumes it gets what the store said to writes under guards from before. */
  async standStill({ marks }) {
    const all = [...holds].map(([shard, hold]) => ({ shard, hold, fence: hold.guard() }));
    say({ event: 'stopping', keys: all.map(({ hold }) => hold.key) });
    standStill();
    const answers = all.map(async ({ shard, hold, fence }) => {
      const write = [put(`${marks}/${shard}`, String(hold.fencingToken))];
      return (await untilAnswered(() => conclave.store.txn({ if: fence, then: write }))).succeeded;
    });
    return Promise.all(answers);
  },
};

/** Says since which revision at the latest it owns the shard, and writes now and then. @param {number} shard @param {Hold} hold @param {string} marks */
async function own(shard, hold, marks) {
  const { key, fencingToken: token } = hold;
  holds.set(shard, hold);
  try {
    const { header, succeeded } = await conclave.store.txn({ if: hold.guard(), then: [get(key)] });
    if (succeeded) say({ event: 'granted', shard, token, key, revision: header.revision });
    while (!hold.signal.aborted) {
      const answer = await hold.commit([put(`${marks}/${shard}`, String(token))]);
      say({ event: 'acked', shard, token, key, revision: answer.header.revision });
      await delay(500, undefined, { signal: hold.signal });
    }
  } catch (error) {
    const { code, name } = describe(error);
    const isPassing = ['UNAVAILABLE', 'OUTCOME_UNKNOWN', 'HOLD_LOST', 'FENCED_OUT', 'SESSION_LOST'].includes(
      code,
    );
    if (!isPassing && name !== 'AbortError') throw error;
    say({ event: 'setback', code: code ?? name });
  } finally {
    holds.delete(shard);
  }
}

/** What the store says to it is the point. @template T @param {() => Promise<T>} write */
async function untilAnswered(write) {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!['UNAVAILABLE', 'OUTCOME_UNKNOWN'].includes(describe(error).code)) throw error;
    }
  }
}

serve(commands, () => conclave.close());
