import type { Stream, TransportError } from '../store/transport.js';

/** A stream that its serving side, too, can end. */
export interface ServerStream<Command> extends Stream<Command> {
  end(error: TransportError): void;
}

/** The open streams of one owner, which can end them all at once. */
export class StreamSet {
  readonly #open = new Set<{ end(error: TransportError): void }>();

  /** Keeps the stream until either side ends it. */
  add<Command>(stream: ServerStream<Command>): ServerStream<Command> {
    this.#open.add(stream);
    return {
      send: (command) => stream.send(command),
      close: () => {
        this.#open.delete(stream);
        stream.close();
      },
      end: (error) => {
        this.#open.delete(stream);
        stream.end(error);
      },
    };
  }

  endAll(error: TransportError): void {
    for (const stream of this.#open) stream.end(error);
    this.#open.clear();
  }
}
