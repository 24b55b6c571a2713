import { constants } from 'node:os';
import { exitStatus } from './failure.js';

/** What others send to make a program stop or take notice. SIGKILL and SIGSTOP cannot be seen. */
const relayed: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

export type Receiver = (name: NodeJS.Signals) => void;

/** The signals sent to this process, for whoever is in charge at the moment. Disposed of, they do what they always do. */
export class Signals implements Disposable {
  #receiver: Receiver;
  readonly #listener = (name: NodeJS.Signals): void => this.#receiver(name);

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
    for (const name of relayed) process.on(name, this.#listener);
  }

  handTo(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  [Symbol.dispose](): void {
    for (const name of relayed) process.off(name, this.#listener);
  }
}

/** A signal came before there was a command to hand it to. */
export class Interrupted extends Error {
  readonly signalName: NodeJS.Signals;

  constructor(signalName: NodeJS.Signals) {
    super(`interrupted by ${signalName}`);
    this.signalName = signalName;
  }
}

/** As a shell reports a program that a signal has ended. */
export function statusOfSignal(name: NodeJS.Signals): number {
  return exitStatus.signalled + constants.signals[name];
}
