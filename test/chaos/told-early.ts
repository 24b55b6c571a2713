import { setTimeout as delay } from 'node:timers/promises';
import { connect, put } from '../../src/index.js';
import type { Entry, Facts, Violation } from '../history/record.js';
import { told } from '../workload/locking.js';
import { Scribe } from '../workload/scribe.js';
import { evidenceOf } from './archive.js';
import { monotonicMs } from './client/paper.js';
import { judge } from './judge.js';
import { register, registerOf } from './loads/register.js';
import { Recorder } from './recorder.js';
import { Rig } from './rig/rig.js';
import { until } from './scenarios/until.js';
import { namespace } from './stage.js';

const lock = 'm0';
/** For how long both say that they hold. */
const overlapMs = 300;

/** One holds a lock, and the next in line says that it does, too, and writes. @returns what the judge of a lock says of that */
export async function toldEarly(): Promise<readonly Violation[]> {
  await using rig = await Rig.start({ tier: 'loopback', members: 1, clients: 1 });
  await using recorder = new Recorder(rig.endpoints);
  await using first = await connect({ endpoints: rig.endpoints, namespace });
  await using second = await connect({ endpoints: rig.endpoints, namespace });
  const entries: Entry[] = [];
  const paper = { now: monotonicMs, write: (entry: Entry): void => void entries.push(entry) };
  const [one, other] = [new Scribe('first', paper), new Scribe('second', paper)];
  const write = (scribe: Scribe, held: Facts, n: number): Promise<unknown> => {
    const value = JSON.stringify({ token: held['token'], client: scribe.name, n });
    const writing = () => first.store.txn({ then: [put(registerOf(lock), value)] });
    return scribe.call('write', lock, held, writing, ({ header }) => ({ revision: Number(header.revision) }));
  };
  const hold = await one.call('acquire', lock, {}, () => first.mutex(lock).acquire(), told);
  await write(one, told(hold), 1);
  const waiting = second.mutex(lock).acquire();
  const ticket = await until('the next one stands in line', () =>
    recorder.standing.find(({ key }) => key.startsWith(`${namespace}/lock/${lock}/`) && key !== hold.key),
  );
  const early = { key: ticket.key, token: ticket.createRevision };
  await other.call(
    'acquire',
    lock,
    {},
    () => Promise.resolve(early),
    (facts) => facts,
  );
  await write(other, early, 2);
  await delay(overlapMs);
  await one.call('release', lock, told(hold), () => hold.release());
  const next = await waiting;
  await other.call('release', lock, early, () => next.release());
  await recorder.catchUp();
  return judge(register, evidenceOf(entries, recorder.changes, { namespace, ttlMs: 10_000 }));
}
