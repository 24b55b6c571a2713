import { expect, it } from 'vitest';
import { root, run } from '../project/program.js';

const example = (name: string): Promise<string> =>
  run(process.execPath, [`examples/transactions/${name}.js`], { cwd: root });

it('the example with a counter loses visits only where it says so', async () => {
  expect(await example('counter')).toBe(
    'read, add, write:  some are lost\natomically:        100, some in a second run\ncounter:           100\n',
  );
});

it('the example with transfers keeps the sum in every look at the accounts', async () => {
  expect(await example('transfer')).toMatch(
    /^transfers: [1-9]\d* done, [1-9]\d* refused\naudits: {4}60, each found 400, and no account below 0\n$/,
  );
});
