import { expect, it } from 'vitest';
import { draw, full } from './plan.js';
import { shrink } from './shrink.js';

const plan = draw({ workload: 'mutex', clients: 2, seed: 7, size: full });

it('leaves exactly the faults without which a plan would not fail', async () => {
  const { faults } = plan;
  const guilty = [faults[1]!, faults.at(-2)!, faults[5]!];
  let tried = 0;
  const fails = async (each: typeof plan): Promise<boolean> => {
    tried++;
    return guilty.every((fault) => each.faults.includes(fault));
  };
  const small = await shrink(plan, fails);
  expect(small.faults).toEqual(faults.filter((fault) => guilty.includes(fault)));
  expect(tried).toBeLessThan(faults.length * 6);
});

it('needs no fault for what fails without any', async () => {
  expect((await shrink(plan, async () => true)).faults).toEqual([]);
});
