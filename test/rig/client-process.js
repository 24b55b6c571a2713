// A client of Conclave in a process of its own; see process-protocol.js for how it is spoken to. Uses the built package, as
// its users do.
import { connect, put } from '../../dist/index.js';
import { describe, say, serve, standStill } from './process-protocol.js';

/** @typedef {import('../../dist/index.js').Conclave} Conclave */
/** @typedef {import('../../dist/index.js').Hold} Hold */

/** @type {Conclave} */
let conclave;
/** @type {Map<string, Hold>} */
const holds = new Map();
/** @type {Map<string, import('../../dist/index.js').Delivery>} */
const deliveries = new Map();
/** @type {Map<string, import('../../dist/index.js').Pass>} */
const passes = new Map();

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

  async campaign({ name, value }) {
    const leadership = await conclave.election(name).campaign(value);
    holds.set(leadership.key, leadership);
    leadership.signal.addEventListener('abort', () => say({ event: 'lost', key: leadership.key }));
    return leadership.toJSON();
  },

  async receive({ name }) {
    const delivery = await conclave.queue(name).receive();
    deliveries.set(delivery.key, delivery);
    return delivery.toJSON();
  },

  /**
   * Writes under the delivery and acknowledges it, and on the way stops this process by SIGSTOP; whoever resumes it gets
   * what became of both.
   */
  async doStandingStill({ key, mark, point }) {
    const delivery = deliveries.get(key);
    if (!delivery) throw new Error('there is no such delivery');
    const fence = delivery.guard();
    if (point === 'before the write') standStill();
    const { succeeded } = await conclave.store.txn({ if: fence, then: [put(mark, key)] });
    if (point === 'before the ack') standStill();
    const acking = delivery.ack().then(() => 'acked', describe);
    if (point === 'in the turn of the ack') standStill();
    if (point === 'when the ack is on its way') setImmediate(() => setImmediate(standStill));
    return { hasWritten: succeeded, ack: await acking };
  },

  /** Several parties at once. What became of each; of those inside also a revision read after they had passed. */
  enter({ name, parties, count, timeoutMs }) {
    const barrier = conclave.doubleBarrier(name, { parties });
    const enterOnce = async () => {
      const pass = await barrier.enter({ timeoutMs });
      passes.set(pass.key, pass);
      const { header } = await conclave.store.get('nothing');
      return { key: pass.key, round: pass.round, index: pass.index, revision: header.revision };
    };
    return Promise.all(Array.from({ length: count }, () => enterOnce().catch(describe)));
  },

  leave({ keys }) {
    const leaveOnce = async (/** @type {string} */ key) => {
      await passes.get(key)?.leave();
      return { key };
    };
    return Promise.all(keys.map((/** @type {string} */ key) => leaveOnce(key).catch(describe)));
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

  async close() {
    await conclave.close();
  },
};

serve(commands, () => conclave.close());
