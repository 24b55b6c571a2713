import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

import { asset } from './assets.js';

/** Lets this process reach addresses of another network namespace, at loopback ports of its own. */
export class Relay implements AsyncDisposable {
  /** Where to connect to for each target, in their order. */
  readonly ports: readonly number[];
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, ports: readonly number[]) {
    this.#process = child;
    this.ports = ports;
  }

  /** @param enter what a command begins with to be run there */
  static async start(
    enter: readonly string[],
    targets: readonly { readonly host: string; readonly port: number }[],
  ): Promise<Relay> {
    const [program, ...args] = [...enter, process.execPath, asset('relay-process.js')];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const ports: number[] = [];
    try {
      for (const target of targets) ports.push(await handOver(child, target));
      return new Relay(child, ports);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}

/** A socket stays where it was made: the server listens here, and is served there. */
async function handOver(child: ChildProcess, target: object): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const answer = Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error('the relay has ended');
    }),
  ]);
  child.send(target, server, { keepOpen: false });
  await answer;
  server.close(); // the relay has its own
  return port;
}
