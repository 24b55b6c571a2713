/** Proof of a login, to be shown with every call; undefined where none is needed. */
export type Token = string | undefined;

/**
 * Keeps the token of one connection. However many calls need one, at most one login is under way: it costs the server a
 * password hash.
 */
export class Authenticator {
  readonly #login: () => Promise<Token>;
  #latest: Promise<Token> | undefined;
  #underWay = false;

  constructor(login: () => Promise<Token>) {
    this.#login = login;
  }

  /** The latest token; logs in if there is none. */
  token(): Promise<Token> {
    return this.#latest ?? this.fresh();
  }

  /** A token that is new: streams show theirs only once, and etcd forgets tokens that nobody uses. */
  fresh(): Promise<Token> {
    if (this.#latest && this.#underWay) return this.#latest;
    this.#underWay = true;
    const latest = this.#login().finally(() => {
      this.#underWay = false;
    });
    this.#latest = latest;
    latest.catch(() => {
      if (this.#latest === latest) this.#latest = undefined; // the next call tries again
    });
    return latest;
  }

  /** One to use after `refused` was refused. A late refusal of an old token does not throw away a newer one. */
  async renewed(refused: Token): Promise<Token> {
    const latest = await this.token();
    return latest === refused ? this.fresh() : latest;
  }
}
