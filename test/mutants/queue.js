/** The guards of the queue. See `mutants.js`. */

const receiving = 'test/queue/receiving.test.ts';
const settling = 'test/queue/settling.test.ts';
const lookingAfter = 'test/queue/looking-after.test.ts';
const firstJobs = 'test/queue/first-jobs.test.ts';
const cost = 'test/queue/cost.test.ts';

/** @type {readonly import('./mutants.js').Mutant[]} */
export const queueMutants = [
  {
    name: 'queue: whoever does not wait is not looked for',
    file: 'src/queue/consumer.ts',
    find: 'if (want.wait.immediate) this.#worker?.wake();',
    replace: '',
    test: receiving,
    title: 'of timeoutMs 0 does not wait, also while others of its process do',
  },
  {
    name: 'queue: known jobs have gaps',
    file: 'src/queue/first-jobs.ts',
    find: 'if (after < 0 && this.#isCut) return;',
    replace: '',
    test: firstJobs,
    title: 'have no gap: behind what a search has found others may stand, so what comes there is left out',
  },
  {
    name: 'queue: a settlement is done because its claim is gone',
    file: 'src/queue/settle.ts',
    find: 'if (!session.epoch.learn(self)) throw session.signal.reason;\n    // What goes',
    replace: '// What goes',
    test: settling,
    title: 'that was lost, with the session, is unknown: not done because the claim is gone',
  },
  {
    name: 'queue: a reclaim does not compare the cancel mark',
    file: 'src/queue/reclaim.ts',
    find: "compare.createRevision(layout.cancelOf(id), '=', cancelledAt),",
    replace: '',
    test: lookingAfter,
    title: 'is not given to another if it is cancelled just before',
  },
  {
    name: 'queue: a search widens though it has found enough',
    file: 'src/queue/search.ts',
    find: 'if (walked < wanted) return',
    replace: 'if (walked <= 2 * wanted) return',
    test: cost,
    title: 'the keys that the server walks over do not grow with how many jobs wait',
  },
  {
    name: 'queue: a progress that finds the claim gone lets the worker go on',
    file: 'src/queue/delivery.ts',
    find: "if (isConclaveError(error, 'HOLD_LOST')) this.keyGone(this.key);",
    replace: '',
    test: 'test/queue/queue.contract.test.ts',
    title: 'that finds its claim gone when it tells how far it is tells its worker to stop',
  },
];
