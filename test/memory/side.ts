import type {
  Calls,
  KeepAliveCommand,
  KeepAliveMessage,
  Method,
  Stream,
  Transport,
  WatchCommand,
} from '../../src/store/transport.js';
import { TransportError } from '../../src/store/transport.js';
import { WatchLog } from './watch-log.js';

/** Longer than any answer or event takes; the server's own loops take 100 ms. */
export const patienceMs = 10_000;

/** A side of the comparison: what was sent to it, and what came back on its streams. */
export class Side {
  readonly log: WatchLog = new WatchLog();
  readonly keepAlives: KeepAliveMessage[] = [];
  readonly watch: Stream<WatchCommand>;
  readonly keepAlive: Stream<KeepAliveCommand>;
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
    const endpoint = transport.endpoints[0]!;
    this.watch = transport.watchStream(endpoint, this.log);
    this.keepAlive = transport.keepAliveStream(endpoint, {
      message: (message) => this.keepAlives.push(message),
      ended: (error) => this.log.ended(error),
    });
  }

  /** The answer, or the error the server refused with. */
  async call<M extends Method>(
    method: M,
    request: Calls[M]['request'],
  ): Promise<Calls[M]['response'] | TransportError> {
    try {
      const options = { signal: AbortSignal.timeout(patienceMs), requireLeader: true };
      return await this.#transport.unary(this.#transport.endpoints[0]!, method, request, options);
    } catch (error) {
      if (error instanceof TransportError) return error;
      throw error;
    }
  }

  close(): void {
    this.watch.close();
    this.keepAlive.close();
  }
}
