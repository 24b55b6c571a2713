import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { programFolder, run } from '../project/program.js';
import { documentedSnippet } from './document.js';

/** What an SDK would do with spans, as little of it as is needed to see them; and something that makes some. */
const around = {
  before: `
    import { trace as api } from '@opentelemetry/api';
    const seen = [];
    api.setGlobalTracerProvider({ getTracer: () => ({
      startSpan(name, { startTime, attributes }) {
        const span = { name, attributes, isPast: startTime <= Date.now() };
        return {
          recordException: (error) => (span.exception = error.message),
          setStatus: (status) => (span.status = status.code),
          end: () => seen.push(span),
        };
      },
    }) });`,
  after: `
    import { connect } from 'conclave';
    const conclave = await connect('memory:');
    await conclave.mutex('m').run(() => {});
    const hold = await conclave.mutex('m').acquire();
    await conclave.forceRelease('mutex', 'm', { reason: 'a drill' });
    await hold.release().catch(() => {});
    await conclave.close();
    console.log(JSON.stringify(seen));`,
};

it('the recipe for OpenTelemetry makes a span of each wait and of each hold, and says which was lost', async () => {
  const folder = programFolder();
  try {
    const program = join(folder, 'recipe.mjs');
    const { code } = documentedSnippet('recipe: opentelemetry');
    writeFileSync(program, [around.before, code, around.after].join('\n'));
    const spans = JSON.parse(await run(process.execPath, [program], { cwd: folder })) as unknown;
    const attributes = {
      'conclave.key': expect.stringMatching(/^conclave\/lock\/m\//) as string,
      'conclave.token': expect.stringMatching(/^\d+$/) as string,
    };
    const wait = { name: 'conclave wait', attributes, isPast: true };
    const held = { name: 'conclave hold', attributes, isPast: true };
    const lost = { ...held, exception: expect.stringContaining('a drill') as string, status: 2 };
    expect(spans).toEqual([wait, held, wait, lost]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
