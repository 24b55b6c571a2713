import { TransportError } from '../store/transport.js';
import type { Verdict } from './call-faults.js';
import type { Interruptible, Route } from './route.js';

export interface CallParts<Response> {
  readonly route: Route;
  readonly signal: AbortSignal;
  /** Has a member execute the request. */
  readonly execute: () => Promise<Response>;
}

/**
 * The client's side of one request. It is settled once: by the answer, or by what ends it on this side. The request goes
 * its own way, and may be executed after that.
 */
export class FaultyCall<Response> implements Interruptible {
  readonly response: Promise<Response>;
  readonly #parts: CallParts<Response>;
  readonly #abort: () => void;
  #resolve: (response: Response) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(parts: CallParts<Response>) {
    this.#parts = parts;
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#abort = () => this.interrupt(new TransportError('cancelled', 'the call was aborted'));
    parts.route.add(this);
    parts.signal.addEventListener('abort', this.#abort, { once: true });
  }

  send(verdict: Verdict | undefined): void {
    const { route } = this.#parts;
    const { toMember, toClient } = route;
    const back = (settle: () => void): void => toClient.send(settle);
    const lost = (): void => {
      if (!verdict?.isSilent) toClient.send(() => this.interrupt(broken()));
    };
    switch (verdict?.fate.kind) {
      case undefined:
        return toMember.send(() => this.#execute(back));
      case 'lose-request':
        return toMember.send(lost);
      case 'lose-reply':
        return toMember.send(() => this.#execute(lost));
      case 'delay-reply': {
        const { ms } = verdict.fate;
        return toMember.send(() => this.#execute((settle) => route.later(ms, () => back(settle))));
      }
      case 'delay-request': {
        const { ms } = verdict.fate;
        return toMember.send(() => {
          lost();
          route.later(ms, () => this.#execute(back)); // finds nobody, if the client was told
        });
      }
      case 'repeat-request': {
        const { ms } = verdict.fate;
        return toMember.send(() => {
          this.#execute(lost);
          route.later(ms, () => this.#execute(() => {}));
        });
      }
    }
  }

  interrupt(error: TransportError): void {
    this.#forget();
    this.#reject(error);
  }

  sever(): void {
    this.#forget(); // nobody is left to be told
  }

  /** @param back takes the answer, or the refusal, on its way to the client */
  #execute(back: (settle: () => void) => void): void {
    this.#parts.execute().then(
      (response) =>
        back(() => {
          this.#forget();
          this.#resolve(response);
        }),
      (error: unknown) =>
        back(() => {
          this.#forget();
          this.#reject(error);
        }),
    );
  }

  #forget(): void {
    this.#parts.route.remove(this);
    this.#parts.signal.removeEventListener('abort', this.#abort);
  }
}

function broken(): TransportError {
  return new TransportError('unavailable', 'the connection broke');
}
