import type { StreamListener, TransportError } from '../store/transport.js';

/**
 * The sending side of a stream. Messages are delivered in order and in a later microtask, never inside the call that
 * caused them: a writer must not find a watcher's code on its stack.
 */
export class Outbox<Message> {
  readonly #listener: StreamListener<Message>;
  #waiting: Message[] = [];
  #end: TransportError | undefined;
  #closed = false;

  constructor(listener: StreamListener<Message>) {
    this.#listener = listener;
  }

  /** True as long as a message could still arrive. */
  get isOpen(): boolean {
    return !this.#closed && this.#end === undefined;
  }

  push(message: Message): void {
    if (!this.isOpen) return;
    this.#waiting.push(message);
    if (this.#waiting.length === 1) this.#deliverSoon();
  }

  /** Delivers what is waiting, then the end. */
  end(error: TransportError): void {
    if (!this.isOpen) return;
    this.#end = error;
    this.#deliverSoon();
  }

  /** Delivers nothing any more. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  #deliverSoon(): void {
    void Promise.resolve().then(() => this.#deliver());
  }

  #deliver(): void {
    const messages = this.#waiting;
    this.#waiting = [];
    for (const message of messages) {
      if (this.#closed) return; // by the listener, at the message before
      this.#listener.message(message);
    }
    if (this.#closed || this.#end === undefined) return;
    this.close();
    this.#listener.ended(this.#end);
  }
}
