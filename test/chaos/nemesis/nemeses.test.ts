import { describe, expect, it } from 'vitest';

import { Random } from '../../../src/testing/random.js';
import { between, client, from, member } from '../rig/node.js';
import type { Rig } from '../rig/rig.js';
import { drawNemesis, nemeses, nemesisNamed, possibleNemeses } from './nemeses.js';
import { holder, leader } from './targets.js';

/** A rig of which only this is known. */
function rigWith(known: Partial<Rig>): Rig {
  return { members: 3, clients: 3, client: () => undefined, ...known } as unknown as Rig;
}

const poorRig = rigWith({ lacks: (need) => (need === 'loopback' ? undefined : `needs ${need}`) });

describe('the nemeses', () => {
  it('have names of their own', () => {
    expect(new Set(nemeses.map(({ name }) => name)).size).toBe(nemeses.length);
    for (const each of nemeses) expect(nemesisNamed(each.name)).toBe(each);
    expect(() => nemesisNamed('none')).toThrow(RangeError);
  });

  it('are drawn by the seed, among those that can begin', () => {
    const draw = (seed: number): string[] => {
      const random = new Random(seed);
      return Array.from({ length: 200 }, () => drawNemesis(poorRig, random).name);
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(new Set(draw(1))).toEqual(new Set(possibleNemeses(poorRig).map(({ name }) => name)));
    expect(draw(1)).toContain('responses to a client lost');
    expect(draw(1)).not.toContain('the leader cut off from its peers');
  });
});

describe('a target', () => {
  const running = rigWith({
    client: (place) => (place === 0 ? undefined : ({} as never)),
    leader: async () => 2,
  });

  it('is the leader, or any member while there is none', async () => {
    expect(await leader.aim({ rig: running }, new Random(1))).toBe(2);
    const headless = rigWith({ leader: async () => undefined });
    const aimed = await Promise.all(
      Array.from({ length: 50 }, (_, seed) => leader.aim({ rig: headless }, new Random(seed))),
    );
    expect(new Set(aimed)).toEqual(new Set([0, 1, 2]));
  });

  it('is the client that holds, or any that runs if that one does not', async () => {
    expect(await holder.aim({ rig: running, holder: () => 2 }, new Random(1))).toBe(2);
    const aimed = await Promise.all(
      Array.from({ length: 50 }, (_, seed) =>
        holder.aim({ rig: running, holder: () => 0 }, new Random(seed)),
      ),
    );
    expect(new Set(aimed)).toEqual(new Set([1, 2]));
  });
});

describe('links', () => {
  it('are those between two sides, and none from a node to itself', () => {
    expect(from([member(0)], [member(0), client(1)])).toEqual([{ from: 'm0', to: 'c1' }]);
    expect(between([member(0)], [client(1)])).toEqual([
      { from: 'm0', to: 'c1' },
      { from: 'c1', to: 'm0' },
    ]);
  });
});
