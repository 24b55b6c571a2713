import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { probes } from '../../src/base/probes.js';
import { probesOf } from './probes.js';

const src = new URL('../../src/', import.meta.url);

it('the probes are the points that the library passes', () => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const passed = files.flatMap((file) =>
    [...readFileSync(new URL(file, src), 'utf8').matchAll(/\.probe\(([^)]*')\)/g)].flatMap(([, name = '']) =>
      [...name.matchAll(/'([^']+)'/g)].map(([, each]) => each),
    ),
  );
  expect(new Set(passed)).toEqual(new Set(probes));
});

it('faults are aimed at those that a workload may pass', () => {
  expect(probesOf('mutex').filter((probe) => /^(queue|barrier)/.test(probe))).toEqual([]);
  expect(probesOf('retry-queue')).toContain('queue.claim');
  expect(probesOf('double-barrier')).toContain('barrier.propose');
});
