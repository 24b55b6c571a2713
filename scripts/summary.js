// node scripts/summary.js [--status N] REPORT.json...: one last line for several runs.
// N is the exit status of what ran: a failure that no report shows counts as one.
import { parseArgs } from 'node:util';
import { add, lastLine, objection, readReport, tally } from './report.js';

const { values, positionals } = parseArgs({
  options: { status: { type: 'string', default: '0' } },
  allowPositionals: true,
});
let sum = positionals
  .map((path) => tally(readReport(path)))
  .reduce(add, { passed: 0, failed: 0, skipped: 0 });
const why = objection(sum, values.status === '0');
if (why !== undefined) {
  console.log(`failed: ${why}`);
  sum = add(sum, { passed: 0, failed: 1, skipped: 0 });
}
console.log(lastLine(sum));
process.exitCode = sum.failed > 0 ? 1 : 0;
