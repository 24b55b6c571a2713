import type { Header } from '../store/results.js';
import type {
  KeepAliveCommand,
  KeepAliveMessage,
  Stream,
  StreamListener,
  TransportError,
} from '../store/transport.js';
import type { Lessor } from './lessor.js';
import { Outbox } from './outbox.js';

/**
 * The server's side of a keep-alive stream. Renewals are handled one after the other, so one that has to wait (its
 * lease has expired but is not revoked yet) holds up all behind it, as in etcd.
 */
export class KeepAliveStream implements Stream<KeepAliveCommand> {
  readonly #lessor: Lessor;
  readonly #header: () => Header;
  readonly #outbox: Outbox<KeepAliveMessage>;
  readonly #waiting: bigint[] = [];
  #busy = false;

  constructor(lessor: Lessor, header: () => Header, listener: StreamListener<KeepAliveMessage>) {
    this.#lessor = lessor;
    this.#header = header;
    this.#outbox = new Outbox(listener);
  }

  send({ lease }: KeepAliveCommand): void {
    this.#waiting.push(lease);
    this.#renewNext();
  }

  end(error: TransportError): void {
    this.#outbox.end(error);
  }

  close(): void {
    this.#outbox.close();
  }

  #renewNext(): void {
    if (this.#busy || !this.#outbox.isOpen) return;
    const lease = this.#waiting.shift();
    if (lease === undefined) return;
    this.#busy = true;
    // Taken before the renewal: a client must not see a renewal at a revision at which the lease is gone.
    const header = this.#header();
    this.#lessor.renew(lease, (ttlSeconds) => {
      this.#busy = false;
      this.#outbox.push({ header, lease, ttlSeconds });
      this.#renewNext();
    });
  }
}
