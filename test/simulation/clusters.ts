import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Check } from './check.js';

/** Far more than they take: each scenario has a limit of its own. */
const limitMinutes = { long: 150, short: 40 };

const worker = fileURLToPath(new URL('clusters-worker.js', import.meta.url));

/**
 * What real clusters go through, in a process of its own: their connections are not to wait for the simulation.
 *
 * @param isLong all scenarios in full, or those of every change in a tenth of their repetitions
 */
export function playScenarios(isLong: boolean): Promise<readonly Check[]> {
  return new Promise((resolve, reject) => {
    const child = fork(worker, [String(isLong)]);
    const minutes = isLong ? limitMinutes.long : limitMinutes.short;
    const limit = setTimeout(() => child.kill('SIGKILL'), 60_000 * minutes);
    child.on('message', (checks: readonly Check[]) => resolve(checks));
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(limit);
      reject(new Error(`the process of the scenarios ended with ${code ?? signal}`));
    });
  });
}
