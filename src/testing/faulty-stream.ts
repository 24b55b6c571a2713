import { type Stream, type StreamListener, TransportError } from '../store/transport.js';
import type { Path } from './path.js';
import type { Interruptible, Route } from './route.js';

export type StreamKind = 'watch' | 'keepAlive';

export interface StreamParts<Command, Message> {
  readonly kind: StreamKind;
  readonly route: Route;
  /** Ways the messages take before the one to the client. */
  readonly detours?: readonly Path[];
  readonly listener: StreamListener<Message>;
  /** Opens the member's side. */
  readonly serve: (listener: StreamListener<Message>) => Stream<Command>;
  /** Called before the listener is. */
  readonly onMessage: (message: Message) => void;
  /** Called once: this side is over. */
  readonly onOver: () => void;
}

/**
 * The client's side of a stream. Opening it, commands and closing it all travel to the member, in this order; each of its
 * messages travels back.
 */
export class FaultyStream<Command, Message> implements Stream<Command>, Interruptible {
  readonly kind: StreamKind;
  readonly #parts: StreamParts<Command, Message>;
  #served: Stream<Command> | undefined;
  #isBroken = false;
  #isOver = false;

  constructor(parts: StreamParts<Command, Message>) {
    this.kind = parts.kind;
    this.#parts = parts;
    parts.route.add(this);
    parts.route.toMember.send(() => this.#serve());
  }

  get endpoint(): string {
    return this.#parts.route.endpoint;
  }

  send(command: Command): void {
    if (this.#isOver) return;
    this.#parts.route.toMember.send(() => this.#served?.send(command));
  }

  close(): void {
    if (this.#isOver) return;
    this.#over();
    this.#parts.route.toMember.send(() => this.#unserve());
  }

  interrupt(error: TransportError): void {
    if (this.#isOver) return;
    this.#parts.route.remove(this);
    this.#parts.route.toMember.send(() => this.#unserve());
    this.#endSoon(error);
  }

  sever(): void {
    if (!this.#isOver) this.#over();
    this.#unserve();
  }

  /** It breaks on its way: the member notices at once, the client when it is told. What is on its way is gone. */
  break(): void {
    this.#isBroken = true;
    this.#unserve();
    this.#deliver(() => this.#endSoon(new TransportError('unavailable', 'the stream broke')));
  }

  #serve(): void {
    if (this.#isBroken) return; // before its opening arrived
    const { route, serve } = this.#parts;
    route.streamsServed++;
    this.#served = serve({
      message: (message) => this.#deliver(() => this.#receive(message)),
      ended: (error) => {
        this.#unserve();
        this.#deliver(() => this.#end(error));
      },
    });
  }

  #unserve(): void {
    if (this.#served === undefined) return;
    this.#served.close();
    this.#served = undefined;
    this.#parts.route.streamsServed--;
  }

  #deliver(message: () => void): void {
    const { detours = [], route } = this.#parts;
    const ways = [...detours, route.toClient];
    ways.reduceRight((arrive, way) => () => way.send(arrive), message)();
  }

  #receive(message: Message): void {
    if (this.#isOver || this.#isBroken) return;
    this.#parts.onMessage(message);
    this.#parts.listener.message(message);
  }

  /** Never inside the call that caused it; and it can still be closed before. */
  #endSoon(error: TransportError): void {
    void Promise.resolve().then(() => this.#end(error));
  }

  #end(error: TransportError): void {
    if (this.#isOver) return;
    this.#over();
    this.#parts.listener.ended(error);
  }

  #over(): void {
    this.#isOver = true;
    this.#parts.route.remove(this);
    this.#parts.onOver();
  }
}

/** A stream that never came to be. */
export function deadStream<Command, Message>(
  listener: StreamListener<Message>,
  error: TransportError,
): Stream<Command> {
  let isOver = false;
  void Promise.resolve().then(() => {
    if (!isOver) listener.ended(error);
  });
  return { send: () => {}, close: () => void (isOver = true) };
}
