import type { Socket } from 'node:net';

import type { ConnectionPool } from 'etcd3/lib/connection-pool.js';

/** What etcd3 keeps to itself. */
interface Opened {
  readonly hosts: readonly { readonly channelCredentials: Credentials }[];
}

/** Of grpc-js, from 1.13 on; the versions before it, which etcd3 allows, do not ask. */
interface Credentials {
  _createSecureConnector?(...target: readonly unknown[]): Connector;
}

interface Connector {
  /** Before a socket is connected. */
  waitForReady(): Promise<void>;
  /** Before anything is sent on it. When it rejects, grpc-js destroys the socket. */
  connect(socket: Socket): Promise<unknown>;
  getCallCredentials(): unknown;
  destroy(): void;
}

/**
 * The sockets of one pool, so that they end with it. grpc-js leaves some behind when a channel is closed: those whose
 * other side is silent, for as long as it is. And when a dial has failed, it dials once more after a backoff, also if
 * the channel was closed meanwhile, and nobody ever ends what comes of that.
 */
export class Sockets {
  readonly #open = new Set<Socket>();
  #closed = false;

  /** To be called before the pool is used. */
  watch(pool: ConnectionPool): void {
    for (const { channelCredentials } of (pool as unknown as Opened).hosts) {
      const create = channelCredentials._createSecureConnector?.bind(channelCredentials);
      if (create) channelCredentials._createSecureConnector = (...target) => this.#watched(create(...target));
    }
  }

  /** Ends those there are, and refuses others. */
  close(): void {
    this.#closed = true;
    for (const socket of this.#open) socket.destroy();
  }

  #watched(connector: Connector): Connector {
    return {
      waitForReady: async () => {
        this.#refuseIfClosed();
        await connector.waitForReady();
      },
      connect: async (socket) => {
        this.#refuseIfClosed();
        this.#open.add(socket);
        socket.once('close', () => this.#open.delete(socket));
        return connector.connect(socket);
      },
      getCallCredentials: () => connector.getCallCredentials(),
      destroy: () => connector.destroy(),
    };
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new Error('the connection is closed');
  }
}
