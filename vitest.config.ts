import { availableParallelism } from 'node:os';
import type { ViteUserConfig } from 'vitest/config';

const seconds = 1_000;

/**
 * Three kinds of test, told apart by file name; each file is of one kind.
 * - `unit`: nothing but this process: contracts on the embedded engine, virtual time, the project itself.
 * - `smoke`: a short pass on a real etcd; part of `npm test`.
 * - `cluster`: everything else on real clusters.
 *
 * Tests on etcd run a file at a time: a cluster starved of a core holds elections, and the test shows that instead.
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
          include: ['test/**/*.smoke.cluster.test.ts'],
          testTimeout: 30 * seconds,
          hookTimeout: 30 * seconds,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'cluster',
          include: ['test/**/*.cluster.test.ts'],
          exclude: ['test/**/*.smoke.cluster.test.ts'],
          testTimeout: 120 * seconds,
          hookTimeout: 60 * seconds,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
};

export default config;
