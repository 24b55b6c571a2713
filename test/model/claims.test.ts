import { expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';
import { type Claim, Claims } from './claims.js';
import { mutex } from './kinds.js';
import { LineJudge } from './line-judge.js';

const want = { names: ['m'] };

it('two that hold at once are found, and the one that the rule does not let pass', async () => {
  const violations = await judged((claims, [first, second]) => {
    claims.granted(first);
    claims.granted(second);
  });
  expect(violations).toEqual([
    'at 0 ms: conclave/lock/m/B (token 5) was granted against the rule',
    'at 0 ms: hold m at the same time: one (conclave/lock/m/A, token 3) and other (conclave/lock/m/B, token 5)',
  ]);
});

it('a hold whose lease the store has ended early excludes nobody', async () => {
  const violations = await judged((claims, [first, second], [lease = 0n]) => {
    claims.revoked([lease]);
    claims.granted(first);
    claims.granted(second);
  });
  expect(violations).toEqual(['at 0 ms: conclave/lock/m/B (token 5) was granted against the rule']);
});

it('a token that is no larger than the one before is found', async () => {
  const violations = await judged((claims, [first, second]) => {
    claims.granted(second);
    claims.forget(second);
    claims.granted(first);
  });
  expect(violations).toContain('at 0 ms: conclave/lock/m/A was granted with token 3 after 5');
});

/** Of two clients one holds a mutex, and one waits; `claim` has them believe something. */
async function judged(
  claim: (claims: Claims, both: readonly [Claim, Claim], leases: readonly bigint[]) => void,
): Promise<readonly string[]> {
  await using world = await World.open();
  const violations: string[] = [];
  let names: readonly string[] = [];
  const report = (violation: string): void => {
    violations.push(names.reduce((text, name, i) => text.replaceAll(name, i === 0 ? 'A' : 'B'), violation));
  };
  const judge = new LineJudge(world, mutex, report);
  const claims = new Claims({ kind: mutex, judge, now: () => world.now(), report });
  const hold = await (await world.client()).mutex('m').acquire();
  const waiting = (await world.client()).mutex('m').acquire();
  await world.settle();
  judge.catchUp();
  const tickets = judge.standing;
  names = tickets.map(({ name }) => name);
  const [first, second] = tickets.map(({ key, create }, i): Claim => {
    const actor = { name: i === 0 ? 'one' : 'other', state: 'living' } as const;
    return {
      actor,
      want,
      keys: [key],
      isChanging: false,
      hold: { key, fencingToken: create, isHeld: () => true },
    };
  });
  if (!first || !second) throw new Error('two tickets should stand');
  claim(
    claims,
    [first, second],
    tickets.map(({ lease }) => lease),
  );
  await hold.release();
  await (await waiting).release();
  return violations;
}
