import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * - `pass`: forwards both ways
 * - `silent`: swallows both directions and keeps every connection open, as a network that drops packets does; neither
 *   side hears that the other one hangs up. Connections that lost bytes are reset when this mode ends
 * - `mute-requests`, `mute-answers`: the same in one direction only; the other one passes
 * - `refuse`: cuts what is open and refuses new connections
 * - `drop-response`: forwards requests, swallows answers, and resets the connection `resetAfterMs` after the first
 *   swallowed byte: the request is done and its caller cannot know
 * - `delay`: forwards both ways, each piece `delayMs` late
 */
export type ProxyMode =
  | 'pass'
  | 'silent'
  | 'mute-requests'
  | 'mute-answers'
  | 'refuse'
  | { readonly kind: 'drop-response'; readonly resetAfterMs: number }
  | { readonly kind: 'delay'; readonly delayMs: number };

/** A loopback TCP proxy before one endpoint whose faults can be switched while connections are open. */
export class Proxy implements AsyncDisposable {
  /** The address of the proxy, with the scheme of the endpoint behind it. */
  readonly endpoint: string;
  readonly #target: URL;
  readonly #port: number;
  readonly #pairs = new Set<Pair>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #server: Server | undefined;
  #mode: ProxyMode = 'pass';
  #accepted = 0;
  #swallowedBytes = 0;

  private constructor(target: URL, server: Server) {
    this.#target = target;
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.endpoint = `${target.protocol}//127.0.0.1:${this.#port}`;
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async start(endpoint: string): Promise<Proxy> {
    return new Proxy(new URL(endpoint), await listen(0));
  }

  get mode(): ProxyMode {
    return this.#mode;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Connections ever accepted. */
  get accepted(): number {
    return this.#accepted;
  }

  /** What was lost in modes other than `pass`, `refuse` and `delay`, both ways together: a sign that a request is under way. */
  get swallowedBytes(): number {
    return this.#swallowedBytes;
  }

  /** Takes effect at once, also for connections that are open. */
  async set(mode: ProxyMode): Promise<void> {
    // Whoever missed something must not hear what came after it.
    const isStillMute = isMuting(mode) && (mode === this.#mode || !isMuting(this.#mode));
    this.#mode = mode;
    if (!isStillMute) for (const pair of [...this.#pairs]) if (pair.damaged) this.#reset(pair);
    if (mode === 'refuse') {
      const server = this.#server;
      this.#server = undefined;
      this.cut();
      if (server) await new Promise((resolve) => server.close(resolve));
    } else if (!this.#server) {
      this.#server = (await listen(this.#port)).on('connection', (socket) => this.#accept(socket));
    }
  }

  /** Resets every open connection, on both sides. */
  cut(): void {
    for (const pair of [...this.#pairs]) this.#reset(pair);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.set('refuse');
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #accept(client: Socket): void {
    this.#accepted += 1;
    const upstream = connect(Number(this.#target.port), this.#target.hostname);
    const pair: Pair = { client, upstream, damaged: false };
    this.#pairs.add(pair);
    client.on('data', (bytes) => this.#request(pair, bytes));
    upstream.on('data', (bytes) => this.#answer(pair, bytes));
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => {}); // 'close' follows
      socket.on('end', () => this.#ended(pair));
      socket.on('close', () => this.#ended(pair));
    }
  }

  #request(pair: Pair, bytes: Buffer): void {
    if (this.#mode === 'silent' || this.#mode === 'mute-requests') this.#swallow(pair, bytes);
    else this.#forward(pair.upstream, bytes);
  }

  #answer(pair: Pair, bytes: Buffer): void {
    const mode = this.#mode;
    const dropping = typeof mode === 'object' && mode.kind === 'drop-response';
    if (dropping && !pair.damaged) this.#later(mode.resetAfterMs, () => this.#reset(pair));
    const isMute = mode === 'silent' || mode === 'mute-answers';
    if (dropping || isMute || (pair.damaged && !isMuting(mode))) this.#swallow(pair, bytes);
    else this.#forward(pair.client, bytes);
  }

  #swallow(pair: Pair, bytes: Buffer): void {
    pair.damaged = true;
    this.#swallowedBytes += bytes.length;
  }

  #forward(to: Socket, bytes: Buffer): void {
    const write = (): void => {
      if (to.writable) to.write(bytes);
    };
    if (typeof this.#mode === 'object' && this.#mode.kind === 'delay') this.#later(this.#mode.delayMs, write);
    else write();
  }

  #ended(pair: Pair): void {
    if (isMuting(this.#mode)) pair.damaged = true;
    else this.#reset(pair);
  }

  #reset(pair: Pair): void {
    this.#pairs.delete(pair);
    for (const socket of [pair.client, pair.upstream]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  #later(delayMs: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Bytes, or the end, of one side never reached the other. */
  damaged: boolean;
}

/** Whether a side may miss something without a sign. */
function isMuting(mode: ProxyMode): boolean {
  return mode === 'silent' || mode === 'mute-requests' || mode === 'mute-answers';
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true });
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
