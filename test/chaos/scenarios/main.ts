// node .evidence/test/chaos/scenarios/main.js [--tier P|L] [--full] [--only 9,10] [--seed 7]
import { argumentsOf, numberOf, oneOf, orUsage } from '../../project/arguments.js';
import { scenarios } from './list.js';
import { runScenarios, type ScenariosOptions } from './run-scenarios.js';

const { values } = argumentsOf({
  options: {
    tier: { type: 'string', default: 'P' },
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
    seed: { type: 'string' },
  },
});

const options = orUsage((): ScenariosOptions => {
  const tier = oneOf('tier', values.tier, ['P', 'L']);
  const known = scenarios.filter((each) => each.tier === tier).map(({ number }) => String(number));
  const only = values.only?.split(',').map((number) => Number(oneOf('only', number, known)));
  const seed = values.seed === undefined ? undefined : numberOf('seed', values.seed, { isWhole: true });
  return {
    tier,
    size: values.full ? 'full' : 'tenth',
    ...(only && { only }),
    ...(seed !== undefined && { seed }),
  };
});
const results = await runScenarios(options);
// Whatever hangs does not keep it alive.
process.exit(results.some(({ passed }) => !passed) ? 1 : 0);
