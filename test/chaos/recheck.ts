// node .evidence/test/chaos/recheck.js DIR...: judges again what runs have left.
import { existsSync } from 'node:fs';
import { argumentsOf, orUsage } from '../project/arguments.js';
import { Archive } from './archive.js';
import { judge } from './judge.js';
import { workloadNamed } from './loads.js';

const { positionals } = argumentsOf({ allowPositionals: true });
orUsage(() => {
  if (positionals.length === 0) throw new TypeError('which run? recheck.js DIR...');
  const missing = positionals.find((directory) => !existsSync(directory));
  if (missing !== undefined) throw new TypeError(`there is no directory ${missing}`);
});
for (const directory of positionals) {
  const { facts, evidence } = new Archive(directory).read();
  const violations = judge(await workloadNamed(facts.workload), evidence);
  const { entries, changes } = evidence;
  console.log(`${directory}: ${facts.workload}, ${entries.length} entries, ${changes.length} changes`);
  for (const { rule, what } of violations) console.log(`VIOLATION ${rule}: ${what}`);
  if (violations.length > 0) process.exitCode = 1;
}
