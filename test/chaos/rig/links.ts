import type { Link, Node } from './node.js';

/** Ends what began. Idempotent. */
export type Undo = () => Promise<void>;

/** How bad a link is. */
export interface Quality {
  /** @default 0 */
  readonly delayMs?: number;
  /** The delay differs by up to so much, either way; packets overtake each other. @default 0 */
  readonly jitterMs?: number;
  /** The share of packets that is lost. @default 0 */
  readonly loss?: number;
  /** The share of packets that comes twice. @default 0 */
  readonly duplicates?: number;
}

/** Of packets. */
export interface Counts {
  readonly forwarded: number;
  readonly dropped: number;
  readonly duplicated: number;
}

export type Impairment =
  | { readonly kind: 'cut'; readonly links: readonly Link[] }
  | { readonly kind: 'degraded'; readonly links: readonly Link[]; readonly quality: Quality }
  | { readonly kind: 'responses lost'; readonly links: readonly Link[]; readonly resetAfterMs: number }
  | { readonly kind: 'unplugged'; readonly node: Node };

/**
 * The network between members and clients. Impairments add up, and each is undone by itself. A promise resolves when the
 * change has taken effect.
 */
export abstract class Links implements AsyncDisposable {
  readonly #active = new Set<Impairment>();
  #changes: Promise<unknown> = Promise.resolve();

  /** What is sent over these links is lost, without a sign to either side. Connections stay open. */
  cut(links: readonly Link[]): Promise<Undo> {
    return this.#impose({ kind: 'cut', links });
  }

  degrade(links: readonly Link[], quality: Quality): Promise<Undo> {
    return this.#impose({ kind: 'degraded', links, quality });
  }

  /**
   * Requests arrive and are done; what is answered over these links (member to client) is lost, and the connection is
   * reset a while later. Only where a proxy stands between the two.
   */
  loseResponses(links: readonly Link[], resetAfterMs: number): Promise<Undo> {
    return this.#impose({ kind: 'responses lost', links, resetAfterMs });
  }

  /** Takes the link of a node down: the network knows, the node loses its carrier. */
  unplug(node: Node): Promise<Undo> {
    return this.#impose({ kind: 'unplugged', node });
  }

  /** What became of the packets on links that were late or double, the last time that there were any. */
  abstract readonly counts: Counts | undefined;

  /** Undoes everything. */
  heal(): Promise<void> {
    return this.#change(() => this.#active.clear());
  }

  /** Brings the network into the state that these make, from whatever it is in. Never called twice at a time. */
  protected abstract apply(active: readonly Impairment[]): Promise<void>;

  abstract [Symbol.asyncDispose](): Promise<void>;

  async #impose(impairment: Impairment): Promise<Undo> {
    const undo = (): Promise<void> => this.#change(() => this.#active.delete(impairment));
    try {
      await this.#change(() => this.#active.add(impairment));
      return undo;
    } catch (error) {
      await undo();
      throw error;
    }
  }

  #change(change: () => unknown): Promise<void> {
    const done = this.#changes.then(() => {
      change();
      return this.apply([...this.#active]);
    });
    this.#changes = done.catch(() => {});
    return done;
  }
}
