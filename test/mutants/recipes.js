/** The guards of the queues shared with Go. @typedef {import('./mutants.js').Mutant} Mutant */

const races = 'test/queue/recipe-interleavings.test.ts';
const contract = 'test/queue/recipes.test.ts';
const items = 'src/queue/recipe-items.ts';
const arrivals = 'src/queue/recipe-arrivals.ts';
const head = 'src/queue/recipe-head.ts';
const priorities = 'src/queue/recipe-priority-queue.ts';

/** @type {readonly Mutant[]} */
export const recipeMutants = [
  {
    name: 'takes an item of the recipes without a receipt',
    file: items,
    find: 'return await this.once(removal, signal).catch(',
    replace: 'return await this.#connection.store.txn(removal).then(({ succeeded }) => succeeded).catch(',
    test: races,
    title: 'what is taken is taken once, and is not lost',
  },
  {
    name: 'takes an item of the recipes that was written again',
    file: items,
    find: 'if: [isThere]',
    replace: 'if: []',
    test: races,
    title: 'an item that somebody wrote again meanwhile is taken as it is then',
  },
  {
    name: 'takes what stands in a full store as lost',
    file: items,
    find: 'if (!isSpaceExceeded(error)) throw error;',
    replace: 'throw error;',
    test: races,
    title: 'can be emptied',
  },
  {
    name: 'takes what is gone from a full store as taken',
    file: items,
    find: 'if (!succeeded) throw error;',
    replace: '',
    test: races,
    title: 'reports an item that may have been taken when it became full',
  },
  {
    name: 'all tasks of a process look for an item at once',
    file: items,
    find: 'const turn = await queue.enter(wait.signal);',
    replace: 'const turn = { end: () => queue };',
    test: races,
    title: 'however many wait, a process reads and tries once for each item',
  },
  {
    name: 'a wait for an item ignores the close',
    file: items,
    find: 'wait.endsWith(this.#connection.closing);',
    replace: '',
    test: races,
    title: 'close rejects who waits, and who comes later',
  },
  {
    name: 'a wait for an item outlives the one session it has',
    file: items,
    find: 'if (this.#connection.isForOneSession) wait.endsWith(session.signal);',
    replace: '',
    test: races,
    title: 'a session of its own that is lost ends the waits on it',
  },
  {
    name: 'a wait for an item overlooks what came before its watch',
    file: arrivals,
    find: '          come(revision);\n',
    replace: '',
    test: races,
    title: 'what is put between a look and the watch that follows it is not overlooked',
  },
  {
    name: 'a wait for an item sleeps on when its watch is compacted away',
    file: arrivals,
    find: ' || this.#watch === undefined) resolve',
    replace: ') resolve',
    test: races,
    title: 'who waits goes on after what it watched was compacted away',
  },
  {
    name: 'a wait for an item trusts its watch',
    file: arrivals,
    find: 'setTimer(recheckMs, resolve',
    replace: 'setTimer(40 * recheckMs, resolve',
    test: races,
    title: 'who waits finds what its watch has not told of',
  },
  {
    name: 'a wait for an item leaves its watch',
    file: items,
    find: 'arrivals.close();',
    replace: '',
    test: contract,
    title: 'that gives up leaves nothing, and takes nothing',
  },
  {
    name: 'remembers an item that was written again where it was',
    file: head,
    find: 'if (item?.modRevision === next.modRevision) return',
    replace: 'if (item) return',
    test: contract,
    title:
      'that is long is emptied in order by two, with two requests for an item, whatever is put and taken away',
  },
  {
    name: 'remembers no items',
    file: head,
    find: 'this.#next = [...kvs];',
    replace: 'this.#next = kvs.slice(0, 1);',
    test: contract,
    title:
      'that is long is emptied in order by two, with two requests for an item, whatever is put and taken away',
  },
  {
    name: 'overwrites the item of a queue that has the same name',
    file: 'src/queue/recipe-queue.ts',
    find: 'if: [isFree]',
    replace: 'if: []',
    test: races,
    title: 'two names that are the same are two items',
  },
  {
    name: 'gives a number of a priority twice',
    file: priorities,
    find: 'if: [isLast, isFree]',
    replace: 'if: [isFree]',
    test: races,
    title: 'a priority queue gives no number twice while its items are taken',
  },
  {
    name: 'overwrites what was put into a priority by hand',
    file: priorities,
    find: 'if: [isLast, isFree]',
    replace: 'if: [isLast]',
    test: races,
    title: 'a priority queue does not overwrite what was put without its guard',
  },
];
