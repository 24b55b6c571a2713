import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checkNemeses } from './run.js';

const scenarios = new URL('scenarios/', import.meta.url);

it('every fault that a scenario names is there', () => {
  const lists = readdirSync(scenarios).flatMap((file) => {
    const text = readFileSync(new URL(file, scenarios), 'utf8');
    return [...text.matchAll(/(?:nemeses|throughout|const deaths)[^[\n]*\[([^\]]*)\]/g)].map(
      ([, list = '']) => list,
    );
  });
  const names = lists.flatMap((list) => [...list.matchAll(/'([^']+)'/g)].map(([, name = '']) => name));
  expect(names.length).toBeGreaterThan(20);
  expect(() => checkNemeses(names)).not.toThrow();
});

it('one that is not there is refused, with all that are', () => {
  expect(() => checkNemeses(['the moon is full'])).toThrow(
    /there is no nemesis 'the moon is full'; there are\n[^]*the wall clock of a client jumps/,
  );
});
