// node .evidence/test/chaos/recheck.js DIR...: judges again what runs have left.
import { Archive } from './archive.js';
import { judge } from './judge.js';
import { workloadNamed } from './loads.js';

for (const directory of process.argv.slice(2)) {
  const { facts, evidence } = new Archive(directory).read();
  const violations = judge(await workloadNamed(facts.workload), evidence);
  const { entries, changes } = evidence;
  console.log(`${directory}: ${facts.workload}, ${entries.length} entries, ${changes.length} changes`);
  for (const { rule, what } of violations) console.log(`VIOLATION ${rule}: ${what}`);
  if (violations.length > 0) process.exitCode = 1;
}
