// npm run chaos -- --workload mutex --nemesis 'a client killed,the leader killed' --seconds 30 --seed 7 --tier loopback
import { parseArgs } from 'node:util';
import type { Tier } from './rig/rig.js';
import { run, type RunOptions } from './run.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workload: { type: 'string', default: 'mutex' },
    nemesis: { type: 'string', default: '' },
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    tier: { type: 'string', default: 'loopback' },
    clients: { type: 'string', default: '4' },
    desks: { type: 'string', default: '1' },
    ttl: { type: 'string', default: '3000' },
    flag: { type: 'string', multiple: true, default: [] },
    fsync: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

const [whole] = positionals;
const options: RunOptions = whole
  ? (JSON.parse(whole) as RunOptions)
  : {
      workload: values.workload,
      nemeses: values.nemesis.split(',').filter((name) => name !== ''),
      seconds: Number(values.seconds),
      seed: Number(values.seed),
      tier: (values.tier === 'proxy' ? 'loopback' : values.tier) as Tier,
      clients: Number(values.clients),
      desks: Number(values.desks),
      ttlMs: Number(values.ttl),
      flags: values.flag,
      fsync: values.fsync,
      keep: values.keep,
    };

console.log(JSON.stringify(options));
const { violations, schedule, evidence, settledMs, directory } = await run(options);
for (const { nemesis, from, to, isMissed = false, error } of schedule)
  console.log(
    `${nemesis}: ${isMissed ? 'nobody came by, ' : ''}${Math.round(to - from)} ms, ${error ?? 'ok'}`,
  );
const outcomes: Record<string, number> = {};
for (const entry of evidence.entries)
  if (entry.kind === 'return') outcomes[entry.error ?? 'ok'] = (outcomes[entry.error ?? 'ok'] ?? 0) + 1;
console.log('returns', JSON.stringify(outcomes), 'changes', evidence.changes.length);
console.log(`all had ended a round ${Math.round(settledMs)} ms after the last fault`);
for (const { rule, what } of violations) console.log(`VIOLATION ${rule}: ${what}`);
if (directory !== undefined) console.log(directory);
process.exitCode = violations.length > 0 ? 1 : 0;
