import { setImmediate as later } from 'node:timers/promises';
import { expect, it } from 'vitest';

import { connect } from '../../src/connect.js';

it('a process may hold many locks and wait for many without a warning of Node', async () => {
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warned);
  try {
    await using conclave = await connect('memory:');
    const names = Array.from({ length: 30 }, (_, i) => `lock ${i}`);
    const holds = await Promise.all(names.map((name) => conclave.mutex(name).acquire()));
    await using other = await conclave.withSession();
    const nothing = async (): Promise<void> => {};
    const waiting = [conclave, other].flatMap((client) =>
      names.map((name) => client.mutex(name).run(nothing)),
    );
    waiting.push(conclave.multiLock(names).run(nothing));
    await later();
    await Promise.all(holds.map((hold) => hold.release()));
    await Promise.all(waiting);
    await later();
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', warned);
  }
});
