// How a process that uses the built package talks to the test that started it (client.ts). Commands come as lines of JSON
// on stdin, `{ id, command, ...arguments }`; answers go as lines of JSON to stdout, `{ id, result }` or `{ id, error }`, and
// news as `{ event, ... }`.
import { createInterface } from 'node:readline';

/** @param {object} line */
export function say(line) {
  process.stdout.write(
    JSON.stringify(line, (_, value) => (typeof value === 'bigint' ? String(value) : value)) + '\n',
  );
}

/** @param {any} error */
export function describe(error) {
  const { code, reason, name, key, message } = error ?? {};
  return { code, reason, name, key, message: String(message) };
}

/**
 * Serves commands until SIGTERM; then closes, and must end by itself.
 *
 * @param {Record<string, (args: any) => unknown>} commands
 * @param {() => Promise<void>} close
 */
export function serve(commands, close) {
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    const { id, command, ...args } = JSON.parse(line);
    void (async () => commands[command]?.(args))().then(
      (result) => say({ id, result: result ?? null }),
      (error) => say({ id, error: describe(error) }),
    );
  });
  // Nobody is left to talk to.
  input.on('close', () => process.exit(1));

  process.once('SIGTERM', async () => {
    await close();
    say({ event: 'closed', resources: process.getActiveResourcesInfo() });
    // From here on only what the library left behind could keep this process alive.
    input.removeAllListeners('close');
    input.close();
    process.stdin.destroy();
  });
}

/** Stops this process; returns how long, once somebody has resumed it. */
export function standStill() {
  const stoppedAt = performance.now();
  process.kill(process.pid, 'SIGSTOP');
  // The signal may take effect a moment later: not after this.
  while (performance.now() < stoppedAt + 50);
  return performance.now() - stoppedAt;
}
