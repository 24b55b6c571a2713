import { ticketNameIn } from '../../src/base/keys.js';
import type { Hold } from '../../src/index.js';
import { textOf } from '../history/facts.js';
import { mutex as kind } from '../history/lock-kinds.js';
import type { Facts, Operation } from '../history/record.js';
import { caseOf, type JudgedLine, judgeLines } from './judge-lines.js';
import { acquire, count, giveBack, patienceOf, troubles, whole } from './locking.js';
import type { Desk, Workload } from './workload.js';

const names = ['a', 'b', 'c'] as const;

/** Some mutexes at once, in any order, beside others who want some of the same, or one. */
export const multiLock: Workload = {
  name: 'multi-lock',
  clients: 3,

  async turn(desk) {
    const some = drawNames(desk);
    const on = some.join('+');
    const hold = await acquire<Hold>(desk, on, {}, () => take(desk, some));
    try {
      await count(desk, on, hold, registerOf(some[whole(desk, 0, some.length - 1)] ?? ''));
    } finally {
      await giveBack(desk, on, hold);
    }
  },

  sometimes: troubles,

  judge(evidence) {
    const read = caseOf(evidence);
    const lines = names.map((name): JudgedLine => {
      const folder = `lock/${name}/`;
      const prefix = `${evidence.namespace}/${folder}`;
      const operations = read.operations.filter((each) => isAbout(each, name));
      return { kind, folder, operations: operations.map((each) => inLine(each, prefix)), isPart: true };
    });
    return judgeLines(read, lines);
  },
};

/** In any order: that of the names makes no difference. */
function drawNames({ random }: Desk): string[] {
  const some = names.filter(() => random.next() < 0.6);
  if (random.next() < 0.5) some.reverse();
  return some.length > 0 ? some : ['a'];
}

async function take(desk: Desk, some: readonly string[]): Promise<Hold | undefined> {
  const { conclave, random, signal } = desk;
  const wait = patienceOf(desk);
  const [first = ''] = some;
  const lock = some.length === 1 ? conclave.mutex(first) : conclave.multiLock(some);
  return random.next() < 0.1 ? lock.tryAcquire({ signal }) : lock.acquire(wait);
}

function registerOf(name: string): string {
  return `app/${name}`;
}

/** A hold is one in each of its lines; what is written under it belongs to one of them. */
function isAbout({ call, on, input }: Operation, name: string): boolean {
  if (call === 'write') return input['register'] === registerOf(name);
  return on.split('+').includes(name);
}

/** Its tickets have one name in all lines. */
function inLine(operation: Operation, prefix: string): Operation {
  const move = (facts: Facts): Facts => {
    const key = textOf(facts, 'key');
    return key === '' ? facts : { ...facts, key: prefix + ticketNameIn(key) };
  };
  return { ...operation, input: move(operation.input), output: move(operation.output) };
}
