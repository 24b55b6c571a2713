import { prefix } from '../../src/store/operations.js';
import type {
  KeepAliveMessage,
  StreamListener,
  TransportError,
  WatchCommand,
  WatchMessage,
} from '../../src/store/transport.js';

/** Keeps what a stream delivers. */
export class Inbox<Message> implements StreamListener<Message> {
  readonly messages: Message[] = [];
  readonly errors: TransportError[] = [];

  message(message: Message): void {
    this.messages.push(message);
  }

  ended(error: TransportError): void {
    this.errors.push(error);
  }
}

/** The keys of all events a watch has delivered. */
export function keysSeen({ messages }: Inbox<WatchMessage>): string[] {
  return messages.flatMap(({ events }) => events.map(({ kv }) => Buffer.from(kv.key).toString()));
}

export function ttlsSeen({ messages }: Inbox<KeepAliveMessage>): number[] {
  return messages.map(({ ttlSeconds }) => ttlSeconds);
}

/** A watch of all keys under `start`. */
export function watchOf(start: string, startRevision = 0n): WatchCommand {
  return {
    kind: 'create',
    watchId: 1n,
    range: prefix(start),
    startRevision,
    prevKv: false,
    exclude: [],
  };
}
