import type { Plan } from './plan.js';

/**
 * The smallest schedule of faults with which a plan still fails: none of them can be left out (ddmin; Zeller and
 * Hildebrandt, "Simplifying and isolating failure-inducing input", 2002).
 *
 * @param fails plays a plan
 */
export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let { faults } = plan;
  let parts = 2;
  while (faults.length > 0) {
    const size = Math.ceil(faults.length / parts);
    const smaller = await firstThat(complements(faults, size), (some) => fails({ ...plan, faults: some }));
    if (smaller) {
      faults = smaller;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(faults.length, 2 * parts);
  }
  return { ...plan, faults };
}

/** All but `size` neighbours, for each group of neighbours. */
function* complements<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += size)
    yield [...list.slice(0, start), ...list.slice(start + size)];
}

async function firstThat<T>(all: Iterable<T>, isIt: (each: T) => Promise<boolean>): Promise<T | undefined> {
  for (const each of all) if (await isIt(each)) return each;
  return undefined;
}
