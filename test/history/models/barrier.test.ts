import { expect, it } from 'vitest';
import type { Operation } from '../record.js';
import { linearize } from '../wgl.js';
import { barrierCalls, barrierModel } from './barrier.js';

function enter(client: string, invokedAt: number, returnedAt: number): Operation {
  const outcome = returnedAt === Infinity ? 'unknown' : 'ok';
  const what = { client, id: client, call: 'enter', on: 'b', input: {}, output: {}, error: undefined };
  return { ...what, invokedAt, returnedAt, outcome };
}

const verdict = (...operations: Operation[]): string =>
  linearize(barrierModel(3), barrierCalls(operations)).kind;

it('as many as the round needs had come before the first passed', () => {
  expect(verdict(enter('a', 0, 9), enter('b', 1, 8), enter('c', 7, 8))).toBe('linearizable');
  // One has died, and was counted.
  expect(verdict(enter('a', 0, 9), enter('b', 1, 8), enter('c', 7, Infinity))).toBe('linearizable');
});

it('one passed too early, or one too many', () => {
  expect(verdict(enter('a', 0, 6), enter('b', 1, 8), enter('c', 7, 8))).toBe('illegal');
  expect(verdict(enter('a', 0, 6), enter('b', 1, 8))).toBe('illegal');
  expect(verdict(enter('a', 0, 9), enter('b', 1, 9), enter('c', 2, 9), enter('d', 3, 9))).toBe('illegal');
});
