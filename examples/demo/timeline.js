import { inEuros } from './payments.js';

/** What happened, in the order in which we heard of it: printed, kept, and waited for. */
export class Timeline {
  #start = performance.now();
  #waiting = [];
  #heard = [];
  booked = [];
  refused = [];
  /** The foremen as an observer sees them come and go; undefined: there is none. */
  foremen = [];
  /** Receipts, each time one was sent. */
  sent = [];
  /** Who has met whom at the barrier. */
  met = [];
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
    if (heard.what === 'sees') {
      this.note(who, this.#describeForeman(heard.foreman), heard.token);
      this.foremen.push(heard);
    }
    if (heard.what === 'stands') this.note(who, 'sees that there is no foreman, and stands for election');
    if (heard.what === 'tallied')
      this.note(who, `adds up as foreman: ${heard.tallied} payments, ${inEuros(heard.cents)}`, heard.token);
    if (heard.what === 'meets') {
      this.met.push(heard);
      this.note(
        who,
        `was number ${heard.index + 1} of ${heard.parties} at the barrier: now all are there`,
        heard.round,
      );
    }
    if (heard.what === 'sends') {
      this.sent.push(heard);
      if (this.sent.length % 25 === 0)
        this.note(who, `sends receipt number ${this.sent.length}`, heard.token);
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

  #describeForeman(foreman) {
    const before = this.foremen.at(-1)?.foreman;
    if (!foreman)
      return before ? `sees NO FOREMAN: ${before} is gone, and nobody stood in line` : 'sees no foreman yet';
    return `sees that the foreman is ${foreman}${before ? `, right after ${before}: it stood in line` : ''}`;
  }

  note(who, text, token = '') {
    const seconds = ((performance.now() - this.#start) / 1_000).toFixed(2);
    console.log(`${seconds.padStart(6)} s  ${who}  token ${String(token).padStart(4)}  ${text}`);
  }
}
