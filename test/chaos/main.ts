// npm run chaos -- --workload mutex --nemesis 'a client killed,the leader killed' --seconds 30 --seed 7 --tier loopback
import { checkTtl } from '../../src/conclave-options.js';
import { argumentsOf, numberOf, oneOf, orUsage } from '../project/arguments.js';
import { holdsJudged, isBlind } from './judge.js';
import { workloadNamed } from './loads.js';
import { checkNemeses, run, type RunOptions } from './run.js';

const { values, positionals } = argumentsOf({
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
const options: RunOptions = orUsage(() => (whole === undefined ? chosen() : repeated(whole)));
const missing = await workloadNamed(options.workload).then(
  () => undefined,
  (error: unknown) => error,
);
orUsage(() => {
  if (missing !== undefined) throw missing;
  checkNemeses(options.nemeses);
});

function chosen(): RunOptions {
  const whole = { isWhole: true };
  return {
    workload: values.workload,
    nemeses: values.nemesis.split(',').filter((name) => name !== ''),
    seconds: numberOf('seconds', values.seconds),
    seed: numberOf('seed', values.seed, whole),
    tier: values.tier === 'proxy' ? 'loopback' : oneOf('tier', values.tier, ['loopback', 'netns']),
    clients: numberOf('clients', values.clients, { ...whole, least: 1 }),
    desks: numberOf('desks', values.desks, { ...whole, least: 1 }),
    ttlMs: checkTtl(numberOf('ttl', values.ttl)),
    flags: values.flag,
    fsync: values.fsync,
    keep: values.keep,
  };
}

/** What a run that failed has printed. */
function repeated(text: string): RunOptions {
  const refuse = (cause?: unknown): never => {
    throw new TypeError(`${text} is no option, and no run to repeat in JSON`, { cause });
  };
  try {
    const options = JSON.parse(text) as RunOptions;
    return typeof options.workload === 'string' && Array.isArray(options.nemeses) ? options : refuse();
  } catch (cause) {
    return refuse(cause);
  }
}

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
const holds = holdsJudged(evidence);
if (holds.told > 0) console.log(`holds judged by I1: ${holds.judged} of ${holds.told}`);
const failures = violations.map(({ rule, what }) => `VIOLATION ${rule}: ${what}`);
for (const { nemesis, error } of schedule)
  if (error !== undefined) failures.push(`FAILED ${nemesis}: it could not be`);
if (isBlind(holds)) failures.push('FAILED I1: it could look at no hold');
for (const failure of failures) console.log(failure);
if (failures.length === 0) console.log('no violation');
if (directory !== undefined) console.log(directory);
process.exitCode = failures.length > 0 ? 1 : 0;
