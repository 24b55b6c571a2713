import { describe, expect, it } from 'vitest';

import { QueueLayout } from '../../src/queue/layout.js';
import { type Form, type Life, never } from '../rig/history.js';
import { type Enqueue, jobsIn, redeliveries, type Told, untold, violations } from './history.js';

const layout = new QueueLayout('ns', 'q');

/** A key that was there from one revision to another. */
function life(key: string, from: number, to?: number): Life {
  const end = to === undefined ? never : BigInt(to);
  const forms: Form[] = [{ value: '', from: BigInt(from), to: end }];
  return { key, createRevision: BigInt(from), to: end, forms };
}

interface Course {
  readonly put: number;
  /** Each claim, its end, and when the job was given to another if it was lost. */
  readonly claims: readonly (readonly [from: number, to?: number, reclaimed?: number])[];
  readonly done?: number | undefined;
}

/** What the store records of a job that goes this way. */
function course(id: string, { put, claims, done }: Course): Life[] {
  const lane = layout.ready.lane(0);
  let readyAt = put;
  const lives = [life(layout.job(id), put, done)];
  for (const [from, to, reclaimed] of claims) {
    lives.push(life(lane.keyOf(BigInt(readyAt - 1), 0, id), readyAt, from));
    lives.push(life(layout.activeOf(id), from, reclaimed ?? to));
    lives.push(life(`${layout.claimsOf(id)}7b-${from}`, from, to));
    readyAt = reclaimed ?? to ?? readyAt;
  }
  const last = claims.at(-1);
  if (last?.[2] !== undefined || !last) lives.push(life(lane.keyOf(BigInt(readyAt - 1), 0, id), readyAt));
  return lives;
}

function enqueue(id: string, began: number, returned: number): Enqueue {
  return { id, lane: 0, began: BigInt(began), returned: BigInt(returned) };
}

const at = (id: string, token: number): { id: string; token: bigint } => ({ id, token: BigInt(token) });

/** Two jobs: `a` is lost once by its worker, `b` is done at once. */
const lives: readonly Life[] = [
  ...course('a', { put: 10, claims: [[20, 30, 32], [40, 50]], done: 50 }), // prettier-ignore
  ...course('b', { put: 12, claims: [[21, 25]], done: 25 }),
];
const told: Told = {
  wanted: ['a', 'b'],
  enqueues: [enqueue('a', 0, 1), enqueue('b', 2, 3)],
  deliveries: [at('a', 20), at('b', 21), at('a', 40)],
  acks: [at('b', 21), at('a', 40)],
  empties: [{ from: 26n, to: 31n }],
};

function check(changes: Partial<Told> = {}, history: readonly Life[] = lives): string[] {
  const jobs = jobsIn(history, 'ns', 'q');
  return violations({ ...told, ...changes }, jobs).map(({ kind, what }) => `${kind}: ${what}`);
}

describe('the checker of the history of a queue', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(check()).toEqual([]);
    expect(redeliveries(jobsIn(lives, 'ns', 'q'))).toBe(1);
    expect(untold(told, jobsIn(lives, 'ns', 'q'))).toBe(0);
  });

  it('does not mind what a worker that was killed has not told', () => {
    expect(check({ acks: [at('b', 21)], deliveries: [] })).toEqual([]);
    expect(untold({ ...told, acks: [] }, jobsIn(lives, 'ns', 'q'))).toBe(2);
  });

  it('finds a job that was confirmed and is nowhere', () => {
    expect(check({ wanted: ['a', 'b', 'c'], enqueues: [...told.enqueues, enqueue('c', 4, 5)] })).toEqual([
      'lost: c',
    ]);
  });

  it('finds a job that was not done in the end', () => {
    const open = [
      ...course('a', { put: 10, claims: [] }),
      ...course('b', { put: 12, claims: [[21, 25]], done: 25 }),
    ];
    const found = check({ deliveries: [at('b', 21)], acks: [at('b', 21)], empties: [] }, open);
    expect(found).toContain('lost: a');
    expect(found).toContain('left over: a');
  });

  it('finds a claim that has stayed', () => {
    const stale = [...lives, life(`${layout.claimsOf('b')}7b-60`, 60)];
    expect(check({}, stale)).toEqual(['left over: b']);
  });

  it('finds a job that nobody has put', () => {
    expect(check({ wanted: ['a'], enqueues: [enqueue('a', 0, 1)] })).toEqual(['phantom: b']);
  });

  it('finds a delivery that the store knows nothing of', () => {
    expect(check({ deliveries: [...told.deliveries, at('b', 22)] })).toEqual(['phantom: b by 22']);
  });

  it('finds two acknowledgements of one job', () => {
    expect(check({ acks: [...told.acks, at('a', 20)] })).toEqual([
      'acknowledged twice: a',
      'acknowledged in vain: a by 20',
    ]);
  });

  it('finds an acknowledgement that was confirmed, though another worker has done the job', () => {
    expect(check({ acks: [at('b', 21), at('a', 20)] })).toEqual(['acknowledged in vain: a by 20']);
  });

  it('finds a job that was put once more after it was done', () => {
    const again = [...lives, ...course('b', { put: 60, claims: [[70, 80]], done: 80 })];
    expect(check({}, again)).toEqual(['acknowledged twice: b', 'put twice: b']);
  });

  it('finds a job that went without a worker', () => {
    const gone = [life(layout.job('a'), 10, 15), life(layout.ready.lane(0).keyOf(9n, 0, 'a'), 10, 15)];
    const nothing = { deliveries: [], acks: [], empties: [] };
    expect(check({ ...nothing, wanted: ['a'], enqueues: [enqueue('a', 0, 1)] }, gone)).toEqual([
      'ended by nobody: a',
    ]);
  });

  it('finds a job in the hands of two', () => {
    const both = [...lives, life(`${layout.claimsOf('b')}7c-1`, 23, 24)];
    expect(check({}, both)).toEqual(['held by two: b by 21 and the next']);
  });

  it('finds jobs taken in the wrong order, and only if the one was confirmed before the other began', () => {
    const swapped = { enqueues: [enqueue('a', 2, 3), enqueue('b', 0, 1)] };
    expect(check(swapped)).toEqual(['out of order: a was taken before b']);
    expect(check({ enqueues: [enqueue('a', 1, 3), enqueue('b', 0, 1)] })).toEqual([]);
  });

  it('lets jobs of different lanes overtake each other', () => {
    const [a, b] = [enqueue('a', 2, 3), { ...enqueue('b', 0, 1), lane: 5 }];
    expect(check({ enqueues: [a, b] })).toEqual([]);
  });

  it('finds an empty answer while a job was there the whole time', () => {
    expect(check({ empties: [{ from: 33n, to: 39n }] })).toEqual(['not empty: a was there from 33 to 39']);
    expect(check({ empties: [{ from: 32n, to: 40n }] })).toEqual([]);
    expect(check({ empties: [{ from: 31n, to: 39n }] })).toEqual([]);
  });
});
