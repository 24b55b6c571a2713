import { availableParallelism } from 'node:os';
import type { ViteUserConfig } from 'vitest/config';

const seconds = 1_000;

/** Members are killed and stopped in these, or time is what they are about. */
const alone = [
  'test/**/*{chaos,outage,faults,failures,takeover,loss,upgrade,endpoints,long-watch}.cluster.test.ts',
  'test/**/{rig,demo}.cluster.test.ts',
];
const smoke = 'test/**/*.smoke.cluster.test.ts';

/**
 * Three kinds of test, told apart by file name; each file is of one kind.
 * - `unit`: nothing but this process: contracts on the embedded engine, virtual time, the project itself.
 * - `smoke`: a short pass on a real etcd; part of `npm test`.
 * - `cluster`: everything else that needs a real etcd. Those that can stand it run two files at a time (`etcd`).
 *
 * The others run a file at a time: a cluster starved of a core holds elections, and the test shows that instead.
 */
const config: ViteUserConfig = {
  test: {
    dangerouslyIgnoreUnhandledErrors: false,
    passWithNoTests: false,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.cluster.test.ts'],
          testTimeout: 10 * seconds,
          // By default one core of two would stand idle.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'smoke',
          include: [smoke],
          testTimeout: 30 * seconds,
          hookTimeout: 30 * seconds,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'etcd',
          include: ['test/**/*.cluster.test.ts'],
          exclude: [smoke, ...alone],
          testTimeout: 120 * seconds,
          hookTimeout: 60 * seconds,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'cluster',
          include: alone,
          testTimeout: 120 * seconds,
          hookTimeout: 60 * seconds,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
};

export default config;
