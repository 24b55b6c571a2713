import { setMaxListeners } from 'node:events';
import { ConflictError } from '../base/errors.js';
import { type MessageKind, ticketNameIn } from '../base/keys.js';
import { abortWith } from '../base/wait.js';
import { ForcedRelease, type Message, readMessage, ReleaseRequest } from './release-request.js';

/** What others have told a session about one of its tickets. */
export class TicketNews {
  readonly #title: string;
  readonly #asked = new AbortController();
  #forced: ForcedRelease | undefined;

  /** @param title for messages: what it is a ticket of */
  constructor(title: string) {
    this.#title = title;
    setMaxListeners(0, this.releaseRequested); // whoever can give it back listens: many are no leak
  }

  /** Aborts with a `ReleaseRequest` when somebody asks for the ticket. */
  get releaseRequested(): AbortSignal {
    return this.#asked.signal;
  }

  /** Set once it is known that somebody has taken it away. */
  get forced(): ForcedRelease | undefined {
    return this.#forced;
  }

  /** The first request is the one that is told. */
  ask(message: Message): void {
    if (!this.releaseRequested.aborted) this.#asked.abort(new ReleaseRequest(this.#title, message));
  }

  /** What is asked of `next` is asked of this one, too: it has been exchanged for it. */
  follow({ releaseRequested }: TicketNews): void {
    abortWith(this.#asked, releaseRequested);
  }

  force(message: Message): void {
    this.#forced ??= new ForcedRelease(this.#title, message);
  }

  /** For whoever waits with the ticket, and has found it gone. */
  whyGone(key: string): ConflictError {
    const forced = this.#forced;
    if (!forced) return new ConflictError(`ticket ${key} was removed from the line by somebody else`);
    return new ConflictError(`the place in the line is lost: ${forced.message}`, { cause: forced });
  }
}

/**
 * The news of all tickets of a session, from before each is put until it has been given up: what is said about one while
 * the answer to its take is still on its way is not missed by the hold that comes of it.
 */
export class News {
  readonly #tickets = new Map<string, TicketNews>();

  /** @param ticket its name @param title for messages: what it is a ticket of */
  begin(ticket: string, title: string): void {
    this.#tickets.set(ticket, new TicketNews(title));
  }

  /** That it is over: nothing can be said about it any more that anybody should hear. @param key one of its keys, or its name */
  end(key: string): void {
    this.#tickets.delete(ticketNameIn(key));
  }

  /** @param key one of the ticket's keys */
  of(key: string): TicketNews {
    return this.#tickets.get(ticketNameIn(key)) ?? new TicketNews('what this was a ticket of');
  }

  /** Takes note of a message as it stands in the store; that it is removed later means nothing. Idempotent. */
  hear(kind: MessageKind, ticket: string, value: Uint8Array): void {
    const news = this.#tickets.get(ticket);
    const message = readMessage(value);
    if (!news || !message) return;
    if (kind === 'ask') news.ask(message);
    else news.force(message);
  }
}
