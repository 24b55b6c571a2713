import type {
  KeepAliveCommand,
  KeepAliveMessage,
  Stream,
  StreamListener,
  Transport,
} from '../store/transport.js';
import type { Verdict } from './call-faults.js';
import type { Route } from './route.js';

/** A renewal with what is to happen to it. */
export interface FatedRenewal {
  readonly command: KeepAliveCommand;
  readonly verdict: Verdict | undefined;
}

export interface KeepAliveServiceParts {
  readonly inner: Transport;
  readonly route: Route;
  readonly listener: StreamListener<KeepAliveMessage>;
  /** The stream breaks on its way. */
  readonly onBreak: () => void;
}

const { signal } = new AbortController();

/**
 * The member's side of a keep-alive stream, with the faults of single renewals. A stream cannot lose one message and go
 * on: where one is lost the stream breaks, or is silent from then on.
 */
export class KeepAliveService implements Stream<FatedRenewal> {
  readonly #parts: KeepAliveServiceParts;
  readonly #stream: Stream<KeepAliveCommand>;
  /** One for each renewal without an answer: answers come in their order. */
  readonly #verdicts: (Verdict | undefined)[] = [];
  #isMute = false;

  constructor(parts: KeepAliveServiceParts) {
    this.#parts = parts;
    this.#stream = parts.inner.keepAliveStream(parts.route.endpoint, {
      message: (message) => this.#answer(message, this.#verdicts.shift()),
      ended: (error) => {
        if (!this.#isMute) parts.listener.ended(error);
      },
    });
  }

  send({ command, verdict }: FatedRenewal): void {
    if (this.#isMute) return;
    if (verdict?.fate.kind === 'lose-request') return this.#lose(verdict);
    const { staleTerm } = this.#parts.route;
    if (staleTerm !== undefined) return void this.#answerFromOldBooks(command, staleTerm, verdict);
    this.#verdicts.push(verdict);
    this.#stream.send(command);
  }

  close(): void {
    this.#isMute = true;
    this.#stream.close();
  }

  #answer(message: KeepAliveMessage, verdict: Verdict | undefined): void {
    if (this.#isMute) return;
    const { route, listener } = this.#parts;
    if (verdict?.fate.kind === 'lose-reply') return this.#lose(verdict);
    const delayMs = verdict?.fate.kind === 'delay-reply' ? verdict.fate.ms : 0;
    route.renewalLag.send(() => listener.message(message), delayMs);
  }

  #lose({ isSilent }: Verdict): void {
    this.#isMute = true;
    if (!isSilent) this.#parts.onBreak();
  }

  async #answerFromOldBooks(
    { lease }: KeepAliveCommand,
    raftTerm: bigint,
    verdict: Verdict | undefined,
  ): Promise<void> {
    const { inner, route } = this.#parts;
    const request = { id: lease, keys: false };
    const options = { signal, requireLeader: false };
    const { header, grantedTtlSeconds } = await inner.unary(
      route.endpoint,
      'leaseTimeToLive',
      request,
      options,
    );
    const staleHeader = { ...header, raftTerm };
    this.#answer({ header: staleHeader, lease, ttlSeconds: grantedTtlSeconds }, verdict);
  }
}
