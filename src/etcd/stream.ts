import type { ILeaseKeepAliveResponse, IWatchResponse } from 'etcd3';

import {
  type KeepAliveCommand,
  type KeepAliveMessage,
  type Stream,
  type StreamListener,
  TransportError,
  type WatchCommand,
  type WatchMessage,
} from '../store/transport.js';
import type { Call } from './calls.js';
import { decodeHeader, decodeWatchMessage } from './decode.js';
import { encodeWatchCommand } from './encode.js';
import type { Duplex, Service, StreamMethod } from './grpc.js';
import { toTransportError } from './rpc-error.js';

/** How the commands and messages of a stream are said in etcd's own RPC. */
export interface StreamTranslation<Command, Message> {
  readonly rpc: readonly [Service, StreamMethod];
  readonly encode: (command: Command) => object;
  readonly decode: (message: unknown) => Message;
}

export const watchTranslation: StreamTranslation<WatchCommand, WatchMessage> = {
  rpc: ['Watch', 'watch'],
  encode: encodeWatchCommand,
  decode: (message) => decodeWatchMessage(message as IWatchResponse),
};

export const keepAliveTranslation: StreamTranslation<KeepAliveCommand, KeepAliveMessage> = {
  rpc: ['Lease', 'leaseKeepAlive'],
  encode: ({ lease }) => ({ ID: lease.toString() }),
  decode: (message) => {
    const { header, ID, TTL } = message as ILeaseKeepAliveResponse;
    return { header: decodeHeader(header), lease: BigInt(ID), ttlSeconds: Number(TTL) };
  },
};

/** A stream that takes commands from its first moment, and sends them once `open` has opened it. */
export class EtcdStream<Command, Message> implements Stream<Command> {
  readonly #call: Call;
  readonly #translation: StreamTranslation<Command, Message>;
  readonly #listener: StreamListener<Message>;
  readonly #early: Command[] = [];
  #duplex: Duplex | undefined;

  constructor(
    call: Call,
    translation: StreamTranslation<Command, Message>,
    listener: StreamListener<Message>,
    open: (call: Call) => Promise<Duplex>,
  ) {
    this.#call = call;
    this.#translation = translation;
    this.#listener = listener;
    open(call)
      .then((duplex) => this.#opened(duplex))
      .catch((error: unknown) => call.fail(error));
  }

  send(command: Command): void {
    if (this.#call.over) return;
    if (this.#duplex) this.#duplex.write(this.#translation.encode(command));
    else this.#early.push(command);
  }

  close(): void {
    this.#call.cancel();
  }

  #opened(duplex: Duplex): void {
    const call = this.#call;
    duplex.on('data', (message) => this.#received(message));
    duplex.on('error', (error) => call.fail(toTransportError(error)));
    duplex.on('end', () => call.fail(new TransportError('unavailable', 'the server ended the stream')));
    this.#duplex = duplex;
    for (const command of this.#early.splice(0)) this.send(command);
  }

  #received(raw: unknown): void {
    if (this.#call.over) return;
    let message: Message;
    try {
      message = this.#translation.decode(raw);
    } catch (error) {
      this.#call.fail(error); // thrown from here it would end the process
      return;
    }
    this.#listener.message(message);
  }
}
