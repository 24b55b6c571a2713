import { setTimeout as delay } from 'node:timers/promises';
import { textOf } from '../history/facts.js';
import { judgeTurns } from '../history/invariants/turns.js';
import { livesOf } from '../history/lives.js';
import { election, mutex } from '../history/lock-kinds.js';
import { type Entry, type Facts, operationsOf, type Violation } from '../history/record.js';
import { Scribe } from '../workload/scribe.js';
import { monotonicMs } from './client/paper.js';
import { Recorder } from './recorder.js';
import { callGateway } from './rig/gateway.js';
import { Rig } from './rig/rig.js';

type Kind = 'v3lock' | 'v3election';

/** What the server itself offers as a lock, and as an election. */
const kinds = {
  v3lock: { kind: mutex, take: 'lock/lock', giveBack: 'lock/unlock' },
  v3election: { kind: election, take: 'election/campaign', giveBack: 'election/resign' },
} as const;

const name = 'server/line';
const waiterTtlSeconds = 2;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/**
 * One holds it; another waits, and its lease ends while it does: nobody renews it. Then the first one gives it back.
 *
 * @returns what the judge of a lock says of that, with what the waiter was told
 */
export async function phantomOf(kind: Kind): Promise<{ violations: Violation[]; told: string }> {
  await using rig = await Rig.start({ tier: 'loopback', members: 1, clients: 1 });
  await using recorder = new Recorder(rig.endpoints);
  const entries: Entry[] = [];
  const paper = { now: monotonicMs, write: (entry: Entry): void => void entries.push(entry) };
  const [endpoint = ''] = rig.endpoints;
  const take = async (client: string, ttlSeconds: number): Promise<Facts> => {
    const { ID: lease } = await callGateway(endpoint, 'lease/grant', { TTL: ttlSeconds });
    const body = { name: base64(name), lease, value: base64(client) };
    const call = (): Promise<Facts> => taken(callGateway(endpoint, kinds[kind].take, body, 30_000), recorder);
    return new Scribe(client, paper).call('acquire', name, {}, call, (facts) => facts);
  };
  const first = await take('first', 60);
  const waiting = take('second', waiterTtlSeconds).then(
    () => 'that it holds',
    (error: unknown) => String(error),
  );
  await delay((waiterTtlSeconds + 2.5) * 1_000);
  await callGateway(endpoint, kinds[kind].giveBack, giveBackBody(kind, first));
  const told = await waiting;
  await recorder.catchUp();
  const { changes } = recorder;
  const operations = operationsOf(entries);
  const evidence = { kind: kinds[kind].kind, line: `${name}/`, operations, changes, lives: livesOf(changes) };
  return { violations: judgeTurns({ ...evidence, lagMs: 1_000 }), told };
}

/** The key, and its create revision: that was put before the answer. */
async function taken(answer: Promise<Record<string, unknown>>, recorder: Recorder): Promise<Facts> {
  const { key, leader } = (await answer) as { key?: string; leader?: { key: string } };
  const text = Buffer.from(key ?? leader?.key ?? '', 'base64').toString();
  await recorder.catchUp();
  const token = recorder.changes.findLast((each) => each.key === text && each.type === 'put')?.createRevision;
  return { key: text, token };
}

function giveBackBody(kind: Kind, taken: Facts): object {
  const key = base64(textOf(taken, 'key'));
  return kind === 'v3lock' ? { key } : { leader: { name: base64(name), key, rev: textOf(taken, 'token') } };
}
