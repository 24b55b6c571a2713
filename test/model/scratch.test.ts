import fc from 'fast-check';
import { it } from 'vitest';
import { runQueue } from './queue/run.js';
import { queueSchedules } from './queue/steps.js';
it('explores', { timeout: 3_000_000 }, async () => {
  const n = Number(process.env['N'] ?? 50);
  const seed = Number(process.env['S'] ?? 1);
  const only = process.env['I'];
  const counts = new Map<string, number>();
  const start = Date.now();
  let i = -1;
  for (const schedule of fc.sample(queueSchedules(), { seed, numRuns: n })) {
    i++;
    if (only !== undefined && Number(only) !== i) continue;
    const { violations, timeline } = await runQueue(schedule);
    for (const v of violations) {
      const kind = v
        .replace(/[0-9a-f]{16}/g, 'ID')
        .replace(/\d+/g, 'N')
        .slice(0, 260);
      const c = counts.get(kind) ?? 0;
      counts.set(kind, c + 1);
      if (c < 1 || only !== undefined) console.log('RUN', i, v.slice(0, 900));
    }
    if (only !== undefined && violations.length > 0)
      console.log(
        JSON.stringify(schedule, null, 0),
        timeline.slice(-Number(process.env['T'] ?? 0)).join('\n'),
      );
  }
  console.log(
    'ms per run',
    (Date.now() - start) / n,
    [...counts]
      .sort((a, b) => b[1] - a[1])
      .map(([k, c]) => `${c} ${k}`)
      .join('\n'),
  );
});
