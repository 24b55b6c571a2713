import { Engine } from '../../src/memory/engine.js';
import type { StoreEvent } from '../../src/store/results.js';
import {
  type Stream,
  type StreamListener,
  TransportError,
  type WatchCommand,
  type WatchMessage,
} from '../../src/store/transport.js';
import { ManualRuntime } from './manual-runtime.js';

export function open(): { engine: Engine; runtime: ManualRuntime } {
  const runtime = new ManualRuntime();
  return { engine: new Engine({ runtime }), runtime };
}

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

/** When all that can happen without the clock has happened. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How the engine refuses: status and text. */
export function refusalOf(request: () => unknown): string {
  try {
    request();
  } catch (error) {
    if (error instanceof TransportError) return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

type CreateOptions = Partial<Omit<Extract<WatchCommand, { kind: 'create' }>, 'kind' | 'range'>>;

/** A watch stream of an engine, with what it delivered. */
export class TestWatch {
  readonly inbox: Inbox<WatchMessage> = new Inbox();
  readonly stream: Stream<WatchCommand>;

  constructor(engine: Engine) {
    this.stream = engine.watchStream(this.inbox);
  }

  create(range: Extract<WatchCommand, { kind: 'create' }>['range'], options: CreateOptions = {}): this {
    this.stream.send({
      kind: 'create',
      watchId: 1n,
      range,
      startRevision: 0n,
      prevKv: false,
      exclude: [],
      ...options,
    });
    return this;
  }

  /** Events as text: revision, what happened, key, value. One list per message. */
  get events(): string[][] {
    return this.inbox.messages
      .filter(({ events }) => events.length > 0)
      .map(({ events }) => events.map(textOf));
  }
}

export function textOf({ type, kv, prevKv }: StoreEvent): string {
  const text = `${kv.modRevision} ${type} ${Buffer.from(kv.key).toString()}`;
  const value = type === 'put' ? `=${Buffer.from(kv.value).toString()}` : '';
  return `${text}${value}${prevKv === undefined ? '' : ` was ${Buffer.from(prevKv.value).toString()}`}`;
}
