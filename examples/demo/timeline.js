import { inEuros } from './payments.js';

/** What happened, in the order in which we heard of it: printed, kept, and waited for. */
export class Timeline {
  #start = performance.now();
  #waiting = [];
  #heard = [];
  booked = [];
  refused = [];
  #cents = 0;

  add(who, event) {
    const heard = { who, ...event };
    this.#heard.push(heard);
    if (heard.what === 'booked') {
      this.booked.push(heard);
      this.#cents += heard.cents;
      this.note(who, `books ${heard.id}, ${inEuros(heard.cents)}; sum ${inEuros(this.#cents)}`, heard.token);
    }
    if (heard.what === 'refused') {
      this.refused.push(heard);
      this.note(
        who,
        `writes ${heard.id} late: REFUSED by the store, somebody else has had the lock`,
        heard.token,
      );
    }
    if (heard.what === 'failed') this.note(who, heard.message);
    this.#waiting = this.#waiting.filter(({ matches, resolve }) => {
      if (!matches(heard)) return true;
      resolve(heard);
      return false;
    });
  }

  /** Resolves with the first event that matches, past or future. */
  async until(matches) {
    const past = this.#heard.find(matches);
    if (past) return past;
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  note(who, text, token = '') {
    const seconds = ((performance.now() - this.#start) / 1_000).toFixed(2);
    console.log(`${seconds.padStart(6)} s  ${who}  token ${String(token).padStart(4)}  ${text}`);
  }
}
