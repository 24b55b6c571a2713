// A client of Conclave in a process of its own. Commands come as lines of JSON on stdin, `{ id, command, ...arguments }`;
// answers go as lines of JSON to stdout, `{ id, result }` or `{ id, error }`, and news as `{ event, ... }`.
// Uses the built package, as its users do. On SIGTERM it closes its Conclave and must then end by itself.
import { createInterface } from 'node:readline';

import { connect, get, put } from '../../dist/index.js';

/** @typedef {import('../../dist/index.js').Conclave} Conclave */
/** @typedef {import('../../dist/index.js').Hold} Hold */

/** @type {Conclave} */
let conclave;
/** @type {Map<string, Hold>} */
const holds = new Map();
let isWorking = false;
let willStop = false;

/** @param {object} line */
function say(line) {
  process.stdout.write(
    JSON.stringify(line, (_, value) => (typeof value === 'bigint' ? String(value) : value)) + '\n',
  );
}

/** @param {any} error */
function describe(error) {
  return { code: error?.code, reason: error?.reason, name: error?.name, message: String(error?.message) };
}

/** @type {Record<string, (args: any) => unknown>} */
const commands = {
  async connect({ options }) {
    conclave = await connect(options);
  },

  async acquire({ place, timeoutMs }) {
    const hold = await conclave.mutex(place).acquire({ timeoutMs });
    holds.set(hold.key, hold);
    hold.signal.addEventListener('abort', () => say({ event: 'lost', key: hold.key }));
    return hold.toJSON();
  },

  async release({ key }) {
    const hold = holds.get(key);
    holds.delete(key);
    await hold?.release();
  },

  isHeld: ({ key }) => holds.get(key)?.isHeld() ?? false,

  /**
   * Stops this process by SIGSTOP; whoever resumes it gets what the very next statements see, before any timer, socket
   * or promise had a turn. Then writes under a guard that was taken before the stop.
   */
  async standStill({ marks }) {
    const all = [...holds.values()];
    const guards = all.map((hold) => hold.guard());
    const before = all.map((hold) => hold.isHeld());
    const stoodStillMs = standStill();
    const after = all.map((hold) => ({
      abortedBefore: hold.signal.aborted,
      held: hold.isHeld(),
      aborted: hold.signal.aborted,
    }));
    const writes = await Promise.all(
      guards.map((guard, i) => conclave.store.txn({ if: guard, then: [put(`${marks}/${i}`, 'late')] })),
    );
    const commits = await Promise.all(
      all.map((hold, i) =>
        hold.commit([put(`${marks}/commit/${i}`, 'late')]).then(() => 'accepted', describe),
      ),
    );
    return { before, stoodStillMs, after, accepted: writes.map(({ succeeded }) => succeeded), commits };
  },

  /**
   * Adds one to a counter under the lock, over and over, until told to stop. What it says counts even if it is killed.
   * Fenced, its writes carry a guard taken when it got the lock.
   */
  work(job) {
    isWorking = true;
    void work(job).then(() => say({ event: 'idle' }));
  },

  /** The worst moment: holding, and about to write. */
  stopAtNextWrite() {
    willStop = true;
  },

  stopWorking() {
    isWorking = false;
  },

  async close() {
    await conclave.close();
  },
};

/** @param {{ place: string, counter: string, isFenced: boolean }} job */
async function work({ place, counter, isFenced }) {
  while (isWorking) {
    try {
      await conclave.mutex(place).run((hold) => increment(hold, counter, isFenced), { timeoutMs: 10_000 });
    } catch (error) {
      say({ event: 'setback', failure: describe(error) });
    }
  }
}

/** @param {Hold} hold @param {string} counter @param {boolean} isFenced */
async function increment(hold, counter, isFenced) {
  const token = hold.fencingToken;
  // A read under the guard is not older than the hold.
  const fence = isFenced ? hold.guard() : [];
  const { header, succeeded, responses } = await conclave.store.txn({ if: fence, then: [get(counter)] });
  if (!succeeded) return;
  say({ event: 'granted', token, revision: header.revision });
  const value = Number(Buffer.from(responses[0].kvs[0]?.value ?? []).toString() || 0);
  say({ event: 'trying', token });
  if (willStop) standStill();
  willStop = false;
  try {
    // Whatever this process believes by now: the store decides.
    const answer = await conclave.store.txn({ if: fence, then: [put(counter, String(value + 1))] });
    say({ event: answer.succeeded ? 'acked' : 'refused', token, revision: answer.header.revision });
  } catch (error) {
    if (describe(error).code === 'UNAVAILABLE') say({ event: 'unsent', token });
    throw error;
  }
}

/** Stops this process; returns how long, once somebody has resumed it. */
function standStill() {
  const stoppedAt = performance.now();
  process.kill(process.pid, 'SIGSTOP');
  // The signal may take effect a moment later: not after this.
  while (performance.now() < stoppedAt + 50);
  return performance.now() - stoppedAt;
}

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const { id, command, ...args } = JSON.parse(line);
  void (async () => commands[command]?.(args))().then(
    (result) => say({ id, result: result ?? null }),
    (error) => say({ id, error: describe(error) }),
  );
});
// Nobody is left to talk to.
input.on('close', () => process.exit(1));

process.once('SIGTERM', async () => {
  await conclave.close();
  say({ event: 'closed', resources: process.getActiveResourcesInfo() });
  // From here on only what the library left behind could keep this process alive.
  input.removeAllListeners('close');
  input.close();
  process.stdin.destroy();
});
