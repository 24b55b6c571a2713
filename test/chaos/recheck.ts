// node .evidence/test/chaos/recheck.js DIR...: judges again what runs have left.
import { existsSync } from 'node:fs';
import { argumentsOf, orUsage } from '../project/arguments.js';
import { Archive } from './archive.js';
import { holdsJudged, judge } from './judge.js';
import { workloadNamed } from './loads.js';

const { positionals } = argumentsOf({ allowPositionals: true });
orUsage(() => {
  if (positionals.length === 0) throw new TypeError('which run? recheck.js DIR...');
  const missing = positionals.find((directory) => !existsSync(directory));
  if (missing !== undefined) throw new TypeError(`there is no directory ${missing}`);
});
/** What the run itself has seen, and its evidence does not show. */
const ofTheRun: ReadonlySet<string> = new Set(['liveness', 'end', 'crash', 'member', 'I8']);

for (const directory of positionals) {
  const { facts, evidence, violations: then } = new Archive(directory).read();
  const violations = judge(await workloadNamed(facts.workload), evidence);
  const { entries, changes } = evidence;
  console.log(`${directory}: ${facts.workload}, ${entries.length} entries, ${changes.length} changes`);
  const holds = holdsJudged(evidence);
  if (holds.told > 0) console.log(`holds judged by I1: ${holds.judged} of ${holds.told}`);
  for (const { rule, what } of violations) console.log(`VIOLATION ${rule}: ${what}`);
  const found = new Set(violations.map(({ rule, what }) => `${rule}: ${what}`));
  const others = then.filter(({ rule, what }) => !found.has(`${rule}: ${what}`));
  for (const { rule, what } of others) console.log(`found by the run, and not now: ${rule}: ${what}`);
  // The others a checker has found that is no longer the same.
  if (violations.length > 0 || others.some(({ rule }) => ofTheRun.has(rule))) process.exitCode = 1;
}
