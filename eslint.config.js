import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const rawTimeAndChance = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'performance',
  'Date',
  'WeakRef',
  'FinalizationRegistry',
  'crypto',
];
const useRuntime = 'Use the Runtime: simulation replaces it, and nothing else.';

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', '.cache/', 'test-results/', '.evidence/'] },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // Signals carry the caller's own reason, whatever it is.
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/base/runtime.ts', 'src/testing/**', 'src/cli/**'],
    rules: {
      'no-restricted-globals': ['error', ...rawTimeAndChance.map((name) => ({ name, message: useRuntime }))],
      'no-restricted-properties': [
        'error',
        ...rawTimeAndChance.map((property) => ({ object: 'globalThis', property, message: useRuntime })),
        { object: 'Math', property: 'random', message: useRuntime },
        { object: 'process', property: 'hrtime', message: useRuntime },
        { object: 'process', property: 'nextTick', message: useRuntime },
        { object: 'process', property: 'uptime', message: useRuntime },
        { object: 'AbortSignal', property: 'timeout', message: useRuntime },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            'crypto',
            { name: 'node:crypto', allowImportNames: ['createHash'] }, // nothing of it is chance
            'timers',
            'node:timers',
            'timers/promises',
            'node:timers/promises',
            'perf_hooks',
            'node:perf_hooks',
          ],
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'examples/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
  { files: ['**/*.js'], extends: [tseslint.configs.disableTypeChecked] },
);
