// node .evidence/test/chaos/scenarios/main.js [--tier P|L] [--full] [--only 9,10] [--seed 7]
import { parseArgs } from 'node:util';
import { runScenarios } from './run-scenarios.js';

const { values } = parseArgs({
  options: {
    tier: { type: 'string', default: 'P' },
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
    seed: { type: 'string' },
  },
});

const results = await runScenarios({
  tier: values.tier === 'L' ? 'L' : 'P',
  size: values.full ? 'full' : 'tenth',
  ...(values.only !== undefined && { only: values.only.split(',').map(Number) }),
  ...(values.seed !== undefined && { seed: Number(values.seed) }),
});
if (results.some(({ passed }) => !passed)) process.exitCode = 1;
