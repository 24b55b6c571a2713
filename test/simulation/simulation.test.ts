import { describe, expect, it } from 'vitest';
import { notesOf } from '../history/record.js';
import { mutex } from '../workload/mutex.js';
import type { Workload } from '../workload/workload.js';
import { Batch } from './batch.js';
import type { Fault } from './faults.js';
import { draw, full, micro, type Plan } from './plan.js';
import { run } from './run.js';
import { workloads } from './workloads.js';

const planOf = (seed: number, size = micro): Plan => draw({ workload: 'mutex', clients: 2, seed, size });

describe('a plan', () => {
  it('follows from its seed, its workload and its size', () => {
    expect(planOf(5)).toEqual(planOf(5));
    expect(planOf(6)).not.toEqual(planOf(5));
    expect(planOf(5, full).faults.length).toBeGreaterThan(planOf(5).faults.length);
    const other = draw({ workload: 'queue', clients: 2, seed: 5, size: micro });
    expect(other.faults).not.toEqual(planOf(5).faults);
  });

  it('has faults that outlast a lease, and times when nothing is wrong, small ones too', () => {
    const plans = Array.from({ length: 500 }, (_, i) => planOf(1 + i));
    const stops = new Set(['pause', 'suspend', 'partition']);
    const outlasts = ({ faults, ttlMs, lengthMs }: Plan): boolean =>
      faults.some(
        (fault) =>
          stops.has(fault.do) &&
          'forMs' in fault &&
          fault.forMs > ttlMs &&
          fault.at + fault.forMs <= lengthMs,
      );
    expect(plans.filter(outlasts).length).toBeGreaterThan(5);
    expect(plans.filter(({ quietMs = 0, ttlMs }) => quietMs > ttlMs).length).toBeGreaterThan(20);
  });

  it('survives being written down as JSON', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const plan = planOf(seed);
      expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
    }
  });
});

describe('a run', () => {
  it('goes the same way each time, whatever was run in between', async () => {
    const first = await run(planOf(11), mutex);
    await run(planOf(12), mutex);
    const again = await run(planOf(11), mutex);
    expect(again.traceHash).toBe(first.traceHash);
    expect(again.entries).toEqual(first.entries);
    expect(again.changes).toEqual(first.changes);
  });

  it('writes down what clients called and what the store went through', async () => {
    const { entries, changes, violations } = await run(planOf(3), mutex);
    expect(violations).toEqual([]);
    expect(entries.filter(({ kind }) => kind === 'return').length).toBeGreaterThan(3);
    expect(changes.some(({ key }) => key.startsWith('conclave/lock/m/'))).toBe(true);
    const times = entries.map(({ at }) => at);
    expect(new Set(times).size).toBe(times.length);
  });

  it('ambushes what all do first, and whoever takes the seat of one who has crashed', async () => {
    const ambush = { do: 'ambush', by: 0, forMs: 100, sudden: 'crash' } as const;
    const faults = (['session.granted', 'ticket.taken'] as const).map((probe): Fault => ({
      ...ambush,
      at: 0,
      probe,
    }));
    const { entries } = await run({ ...planOf(1), lengthMs: 3_000, faults }, mutex);
    const struck = notesOf(entries).filter(({ what }) => what === 'sudden crash');
    expect(struck.map(({ facts }) => facts['probe'])).toEqual(['session.granted', 'ticket.taken']);
  });

  it('goes on for a while when nothing is wrong any more, and everybody with it', async () => {
    let rounds = 0;
    const lazy: Workload = {
      ...mutex,
      turn: async (desk) => {
        if (++rounds > 10) await desk.pause(Infinity);
      },
    };
    const plan = { ...planOf(1), faults: [], lengthMs: 100, calmLimitMs: 5_000 };
    expect((await run({ ...plan, quietMs: 0 }, lazy)).violations).toEqual([]);
    rounds = 0;
    const { violations } = await run({ ...plan, quietMs: 10_000 }, lazy);
    expect(new Set(violations.map(({ rule }) => rule))).toEqual(new Set(['liveness']));
  });

  it.each(workloads.map((workload) => [workload.name, workload] as const))(
    'of %s goes on to a good end without any fault',
    async (name, workload) => {
      const { clients = 2 } = workload;
      const plan = { ...draw({ workload: name, clients, seed: 1, size: micro }), faults: [] };
      const { violations, entries } = await run(plan, workload);
      expect(violations).toEqual([]);
      expect(entries.some((entry) => entry.kind === 'return' && entry.outcome === 'ok')).toBe(true);
    },
  );
});

describe('a failing seed', () => {
  /** Claims that a client that stands still does wrong by it. */
  const unfair: Workload = {
    ...mutex,
    judge: ({ entries }) => {
      const struck = entries.filter((entry) => entry.kind === 'note' && entry.what === 'pause');
      return struck.map(({ at }) => ({ rule: 'unfair', what: `somebody stood still at ${at}` }));
    },
  };

  it('is told with the fewest faults that show it, and how to see it again', async () => {
    const batch = new Batch(unfair);
    for (let seed = 1; !batch.failure; seed++) await batch.play(seed, 'micro');
    const { seed, plan, text } = batch.failure;
    expect(plan.faults.map((fault) => fault.do)).toEqual(['pause']);
    expect(text).toContain(`npm run simulate -- --workload mutex --size micro --seed ${seed}`);
    expect(text).toContain('unfair: somebody stood still');
  });

  it('of a client that throws something of its own is told', async () => {
    const broken: Workload = {
      ...mutex,
      turn: async () => {
        throw new RangeError('not of the library');
      },
    };
    const plan = { ...planOf(1), calmLimitMs: 1_000 };
    const { violations } = await run(plan, broken);
    const rules = new Set(violations.map(({ rule }) => rule));
    expect(rules).toEqual(new Set(['error', 'liveness']));
  });
});
