import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { otherProbes, probes, probesOf } from './probes.js';

const src = new URL('../../src/', import.meta.url);

it('faults are aimed at all points that the library passes', () => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const passed = files.flatMap((file) =>
    [...readFileSync(new URL(file, src), 'utf8').matchAll(/\.probe\(([^)]*')\)/g)].flatMap(([, name = '']) =>
      [...name.matchAll(/'([^']+)'/g)].map(([, each]) => each),
    ),
  );
  expect(new Set(passed)).toEqual(new Set([...probes, ...otherProbes]));
});

it('and at those only that a workload may pass', () => {
  expect(probesOf('mutex').filter((probe) => /^(queue|barrier)/.test(probe))).toEqual([]);
  expect(probesOf('retry-queue')).toContain('queue.claim');
  expect(probesOf('double-barrier')).toContain('barrier.propose');
});
