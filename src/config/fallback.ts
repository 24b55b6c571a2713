import type { Codec, Good } from './codec.js';

/** What counts as long as nothing is stored: checked as what is stored is. */
export class Fallback<T> {
  #state: { readonly good?: Good<T> | undefined; readonly refusal?: unknown } = {};
  #checking: Promise<unknown> | undefined;

  /** @param value undefined: there is none @throws TypeError, RangeError if JSON cannot carry it */
  constructor(codec: Codec<T>, value: unknown) {
    if (value === undefined) return;
    const good = codec.fallback(value);
    if (!(good instanceof Promise)) {
      this.#state = { good };
      return;
    }
    this.#checking = good.then(
      (checked) => (this.#state = { good: checked }),
      (refusal: unknown) => (this.#state = { refusal }),
    );
  }

  /** undefined if there is none, or it is still being checked. @throws InvalidValueError if the schema has refused it */
  get now(): Good<T> | undefined {
    if (this.#state.refusal) throw this.#state.refusal;
    return this.#state.good;
  }

  /** undefined if there is none. @throws InvalidValueError if the schema has refused it */
  async settled(): Promise<Good<T> | undefined> {
    await this.#checking;
    return this.now;
  }
}
