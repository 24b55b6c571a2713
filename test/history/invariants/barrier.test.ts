import { expect, it } from 'vitest';
import { livesOf } from '../lives.js';
import { barrierCalls, barrierModel } from '../models/barrier.js';
import type { Change, Operation } from '../record.js';
import { Stage } from '../stories/stage.js';
import { linearize } from '../wgl.js';
import { judgePasses, judgeTrips } from './barrier.js';

const size = 3;

function enter(client: string, from: number, to: number, generation = 1): Operation {
  const outcome = to === Infinity ? 'unknown' : 'ok';
  const times = { invokedAt: from, returnedAt: to };
  const what = { client, id: `${client} ${from}`, call: 'enter', on: 'b', error: undefined };
  return { ...what, ...times, input: { size }, outcome, output: outcome === 'ok' ? { generation } : {} };
}

function judge(...operations: Operation[]): { verdict: string; violations: string[] } {
  const verdict = linearize(barrierModel(size), barrierCalls(operations)).kind;
  return { verdict, violations: judgePasses(operations).map(({ what }) => what) };
}

it('as many as the round needs had come before the first passed', () => {
  const right = { verdict: 'linearizable', violations: [] };
  expect(judge(enter('a', 0, 9), enter('b', 1, 8), enter('c', 7, 8))).toEqual(right);
  // One has died, and was counted.
  expect(judge(enter('a', 0, 9), enter('b', 1, 8), enter('c', 7, Infinity))).toEqual(right);
});

it('one passed too early', () => {
  const early = judge(enter('a', 0, 6), enter('b', 1, 8), enter('c', 7, 8));
  expect(early).toEqual({ verdict: 'illegal', violations: ['a passed round 1 at 6; 2 of 3 had come'] });
  const alone = judge(enter('a', 0, 6), enter('b', 1, 8));
  expect(alone).toEqual({ verdict: 'illegal', violations: ['a passed round 1 at 6; 2 of 3 had come'] });
});

it('more passed than the round is for', () => {
  const four = judge(enter('a', 0, 9), enter('b', 1, 9), enter('c', 2, 9), enter('d', 3, 9));
  expect(four).toEqual({ verdict: 'illegal', violations: ['4 passed round 1 of 3'] });
});

it('each round is judged by itself', () => {
  const first = [enter('a', 0, 9), enter('b', 1, 8), enter('c', 7, 8)];
  const second = [enter('a', 20, 29, 2), enter('b', 21, 28, 2), enter('c', 27, 28, 2)];
  expect(judgePasses([...first, ...second])).toEqual([]);
  expect(judgePasses([...first, ...second.slice(1)])).toHaveLength(1);
});

const barrier = 'conclave/cyclic-barrier/b/';

function trip(parties: readonly string[], rounds = 1): readonly Change[] {
  const stage = new Stage(1);
  for (const party of parties) stage.put(`${barrier}in/${party}`, { v: 1, parties: size }, party);
  for (let round = 0; round < rounds; round++) {
    const outcome = { v: 1, kind: 'tripped', parties: parties.map((ticket) => ({ ticket, holder: ticket })) };
    stage.put(`${barrier}out/000000000000000${round}`, outcome);
  }
  stage.delete(...parties.map((party) => `${barrier}in/${party}`));
  return stage.changes;
}

function trips(changes: readonly Change[]): string[] {
  return judgeTrips(livesOf(changes), barrier).map(({ what }) => what.slice(barrier.length));
}

it('a round that trips names those who stand there', () => {
  expect(trips(trip(['a-1', 'b-1', 'c-1']))).toEqual([]);
});

it('a round trips with too few, with one who is not there, or twice', () => {
  const out = 'out/0000000000000000';
  expect(trips(trip(['a-1', 'b-1']))).toContain(`${out} names 2 parties, and ${barrier}in/a-1 waited for 3`);
  const gone = trip(['a-1', 'b-1', 'c-1']).filter(({ key }) => !key.endsWith('b-1'));
  expect(trips(gone)).toEqual([`${out} names ${barrier}in/b-1, which was not there`]);
  expect(trips(trip(['a-1', 'b-1', 'c-1'], 2))).toHaveLength(3);
});

it('an outcome is written once', () => {
  const changes = trip(['a-1', 'b-1', 'c-1']);
  const out = changes.find(({ key }) => key.includes('out/'))!;
  const again = { ...out, revision: 99, version: 2 };
  expect(trips([...changes, again])).toEqual(['out/0000000000000000 was written more than once']);
});
