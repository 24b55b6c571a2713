import { FencedOutError, get, type Hold, isConclaveError, put, toText } from '../../../src/index.js';
import { parseFacts } from '../../history/facts.js';
import { judgeHolding } from '../../history/invariants/holding.js';
import { judgeRegister } from '../../history/invariants/register.js';
import { judgeTokens, judgeWitness } from '../../history/invariants/tokens.js';
import { judgeTurns } from '../../history/invariants/turns.js';
import type { LineEvidence } from '../../history/line.js';
import { livesOf } from '../../history/lives.js';
import { lockCalls } from '../../history/lock-calls.js';
import { mutex } from '../../history/lock-kinds.js';
import { lockModel } from '../../history/models/lock.js';
import { operationsOf, type Violation } from '../../history/record.js';
import { judgeByModel } from '../../history/wgl.js';
import { Witness } from '../../history/witness.js';
import type { Desk, Evidence, Workload } from '../../workload/workload.js';
import type { RealDesk } from '../loads.js';

/** Two clients at each of them: when one stands still the other one takes over. */
export const clientsPerLock = 2;

/** What one lock protects. Outside of the namespace. */
export const registerOf = (lock: string): string => `app/${lock}`;

/** The lock that the clients of a place compete for. */
export const lockOf = (place: number): string => `m${Math.floor(place / clientsPerLock)}`;

/**
 * Numbers counted up under a mutex by clients that do not ask whether they still hold it: whoever was stopped writes when
 * it goes on, and only the fence in the transaction can refuse. There are points to aim at: `use.begin`, `use.write`
 * before a write, `use.sent` when it is on its way.
 */
export const register: Workload = { name: 'register', turn: (desk) => turn(desk, 'fenced'), judge };

/** The same without the fence: what goes wrong then has to be found. */
export const unfencedRegister: Workload = {
  name: 'unfenced-register',
  turn: (desk) => turn(desk, 'unfenced'),
  judge,
};

async function turn(desk: Desk, kind: 'fenced' | 'unfenced'): Promise<void> {
  const { conclave, signal } = desk;
  const lock = lockOf(Number(/^c(\d+)/.exec(desk.name)?.[1] ?? 0));
  const hold = await desk.call(
    'acquire',
    lock,
    {},
    () => conclave.mutex(lock).acquire({ signal }),
    ({ key, fencingToken }) => ({ key, token: Number(fencingToken) }),
  );
  desk.claim(lock, hold);
  const held = { key: hold.key, token: Number(hold.fencingToken) };
  const use: Use = { lock, hold, held, fence: kind === 'fenced' ? hold.guard() : [] };
  try {
    await useTwice(desk as RealDesk, use);
  } finally {
    await desk.call('release', lock, held, () => hold.release()).catch(() => {});
  }
}

interface Use {
  readonly lock: string;
  readonly hold: Hold;
  readonly held: { readonly key: string; readonly token: number };
  readonly fence: ReturnType<Hold['guard']>;
}

async function useTwice(desk: RealDesk, use: Use): Promise<void> {
  desk.probe('use.begin');
  for (let writes = 2; writes > 0; writes--) {
    await desk.pause(desk.random.between(20, 120));
    const end = await untilAnswered(() => increment(desk, use));
    if (end === 'done') continue;
    desk.note(end, use.lock, use.held);
    return;
  }
}

/** What the store says is the point: `gave up` if it has said nothing. */
async function untilAnswered(work: () => Promise<void>): Promise<'done' | 'refused' | 'gave up'> {
  for (let tries = 0; tries < 20; tries++) {
    try {
      await work();
      return 'done';
    } catch (error) {
      if (!isConclaveError(error)) throw error;
      if (error.code === 'FENCED_OUT') return 'refused';
    }
  }
  return 'gave up';
}

async function increment(desk: RealDesk, { lock, hold, held, fence }: Use): Promise<void> {
  const { store } = desk.conclave;
  const key = registerOf(lock);
  const refuse = (): never => {
    throw new FencedOutError('the fence has refused', hold);
  };
  const read = await store.txn({ if: fence, then: [get(key)] });
  if (!read.succeeded) return refuse();
  const pair = read.responses[0].kvs[0];
  const before = pair ? Number(parseFacts(toText(pair.value))['n']) : 0;
  const value = JSON.stringify({ token: held.token, client: desk.name, n: before + 1 });
  desk.probe('use.write');
  const write = async (): Promise<number> => {
    const writing = store.txn({ if: fence, then: [put(key, value)] });
    setImmediate(() => setImmediate(() => desk.probe('use.sent')));
    const { succeeded, header } = await writing;
    return succeeded ? Number(header.revision) : refuse();
  };
  await desk.call('write', lock, held, write, (revision) => ({ revision }));
}

function judge({ entries, changes, namespace, lagMs = 0 }: Evidence): Violation[] {
  const operations = operationsOf(entries);
  const lives = livesOf(changes);
  const witness = new Witness(operations);
  const locks = [...new Set(operations.map(({ on }) => on))];
  return locks.flatMap((lock) => {
    const line = `${namespace}/lock/${lock}/`;
    const ofLock = operations.filter(({ on }) => on === lock);
    const ofLine = { kind: mutex, line, operations: ofLock };
    const evidence: LineEvidence = { ...ofLine, changes, lives, lagMs, witness };
    return [
      ...judgeRegister(evidence, registerOf(lock)),
      ...judgeHolding(evidence),
      ...judgeTokens(ofLock),
      ...judgeWitness(ofLock),
      ...judgeTurns(evidence),
      ...judgeByModel(lockModel(mutex), lockCalls(mutex, ofLock, changes)),
    ];
  });
}
