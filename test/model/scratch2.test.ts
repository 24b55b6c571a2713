import fc from 'fast-check';
import { it } from 'vitest';
import { runQueue } from './queue/run.js';
import { queueSchedules, type QueueSchedule } from './queue/steps.js';
it('shrinks', { timeout: 3_000_000 }, async () => {
  const n = Number(process.env['I']);
  const seed = Number(process.env['S'] ?? 1);
  const text = process.env['W'] ?? '';
  let best = fc.sample(queueSchedules(), { seed, numRuns: n + 1 })[n] as QueueSchedule;
  const bad = async (s: QueueSchedule) => (await runQueue(s)).violations.some((v) => v.includes(text));
  if (!(await bad(best))) return console.log('NOT BAD');
  for (let size = 16; size >= 1; size = Math.floor(size / 2)) {
    for (let i = best.steps.length - size; i >= 0; i -= size) {
      const next = { ...best, steps: best.steps.filter((_, k) => k < i || k >= i + size) };
      if (await bad(next)) best = next;
    }
  }
  for (let round = 0; round < 2; round++)
    for (let i = best.steps.length - 1; i >= 0; i--) {
      const without = { ...best, steps: best.steps.filter((_, k) => k !== i) };
      if (await bad(without)) {
        best = without;
        continue;
      }
      for (const change of [{ thenMs: 0 }, { mishap: undefined }]) {
        const next = {
          ...best,
          steps: best.steps.map((s, k) => (k === i ? { ...s, ...change } : s)),
        } as QueueSchedule;
        if (await bad(next)) best = next;
      }
    }
  const { violations, timeline } = await runQueue(best);
  console.log(
    violations.join('\n'),
    '\n',
    JSON.stringify({ ...best, steps: 0 }),
    '\n',
    best.steps.map((s) => JSON.stringify(s)).join('\n'),
  );
});
