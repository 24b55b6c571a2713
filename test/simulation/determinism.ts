import { MessageChannel } from 'node:worker_threads';
import type { Drain } from '../../src/testing/index.js';
import type { Workload } from '../workload/workload.js';
import { type Check, check } from './check.js';
import { draw, micro } from './plan.js';
import { run } from './run.js';

/** Another way than that of the World to wait until no promise is left to settle: a message to oneself. */
function messages(): { readonly drain: Drain; close(): void } {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port2.on('message', () => waiting.shift()?.());
  return {
    drain: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        port1.postMessage(undefined);
      }),
    close: () => port1.close(),
  };
}

/** Plays each seed twice, and once more with another way of draining: all have the same trace hash. */
export async function playTwice(workloads: readonly Workload[], seeds: number): Promise<Check> {
  const other = messages();
  const differing: string[] = [];
  const hashes = new Set<string>();
  for (let seed = 1; seed <= seeds; seed++) {
    const workload = workloads[seed % workloads.length];
    if (workload === undefined) continue;
    const plan = draw({ workload: workload.name, clients: workload.clients ?? 2, seed, size: micro });
    const first = await run(plan, workload);
    const second = await run(plan, workload);
    const third = await run(plan, workload, { drain: other.drain });
    hashes.add(first.traceHash);
    if (new Set([first, second, third].map(({ traceHash }) => traceHash)).size > 1)
      differing.push(`${workload.name} ${seed}`);
  }
  other.close();
  const isSo = differing.length === 0 && hashes.size === seeds;
  const details =
    differing.length > 0 ? `differ: ${differing.join(', ')}` : `${hashes.size} different traces`;
  return check(`${seeds} seeds go the same way twice, and under two ways of draining`, isSo, details);
}
