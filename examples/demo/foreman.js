// What the workers elect one of their own for: after every tenth payment the foreman, and nobody else, adds up the ledger.
import { prefix, put, toText } from 'conclave';
import { ledgerKey } from './booking.js';

export const electionName = 'foreman';
export const talliedTogether = 10;
const tallyPrefix = 'demo/tally/';

/** Oldest first: how many payments had been booked, their sum, by whom, and with which token. */
export async function readTallies(store) {
  const { kvs } = await store.get(prefix(tallyPrefix));
  return kvs.map(({ value }) => JSON.parse(toText(value))).sort((a, b) => a.booked - b.booked);
}

/** One candidate. Not re-usable. */
export class Foreman {
  #conclave;
  #name;
  #say;
  #end = new AbortController();

  constructor(conclave, { name, say }) {
    this.#conclave = conclave;
    this.#name = name;
    this.#say = say;
  }

  /** Stands for election, at once or when it has seen a foreman go. Resolves after `leave`. */
  async run({ isFirst }) {
    const election = this.#conclave.election(electionName);
    const { signal } = this.#end;
    try {
      if (!isFirst) await this.#untilOneHasGone(election, signal);
      await election.lead((leadership) => this.#lead(leadership), {
        value: this.#name,
        signal,
        onError: (error) => this.#say({ what: 'failed', message: error.message }),
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Resigns, if it leads, and stands no more. */
  leave() {
    this.#end.abort();
  }

  async #untilOneHasGone(election, signal) {
    let hasSeenOne = false;
    for await (const { leader } of election.observe({ signal })) {
      if (leader && !hasSeenOne) this.#say({ what: 'ready' });
      if (!leader && hasSeenOne) break;
      hasSeenOne ||= leader !== undefined;
    }
    this.#say({ what: 'stands' });
  }

  /** Goes on in the ledger's history where the one before has stopped, so nothing is left out and nothing done twice. */
  async #lead(leadership) {
    const { store } = this.#conclave;
    const last = (await readTallies(store)).at(-1) ?? { booked: 0, revision: '0' };
    this.#say({ what: 'ready', tallied: last.booked });
    const { signal } = leadership;
    const startRevision = BigInt(last.revision) + 1n;
    for await (const notice of store.watch(ledgerKey, { startRevision, signal })) {
      if (notice.kind !== 'events') continue;
      for (const { kv } of notice.events) await this.#tally(leadership, kv);
    }
  }

  async #tally(leadership, { value, modRevision }) {
    const { booked, cents } = JSON.parse(toText(value));
    if (booked % talliedTogether !== 0) return;
    const token = String(leadership.fencingToken);
    const tally = { booked, cents, by: this.#name, token, revision: String(modRevision) };
    await leadership.commit([put(tallyPrefix + booked, JSON.stringify(tally))]);
    this.#say({ what: 'tallied', tallied: booked, cents, token });
  }
}
