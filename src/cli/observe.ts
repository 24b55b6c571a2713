import type { Leader, Place } from '../index.js';
import type { StoreArguments } from './arguments.js';
import { exitStatus } from './failure.js';
import { open, primitive } from './opening.js';
import { harmless, printJson } from './printing.js';
import { Signals } from './signals.js';

export interface ObserveArguments {
  readonly store: StoreArguments;
  readonly isJson: boolean;
  readonly place: Place;
}

/** Prints the leader, and each change, until a signal comes or nobody reads. @returns the exit status */
export async function observe({ store, isJson, place }: ObserveArguments): Promise<number> {
  const conclave = await open(store);
  const end = new AbortController();
  const signals = new Signals(() => end.abort());
  process.stdout.once('error', () => end.abort());
  try {
    const election = primitive(() => conclave.election(place));
    for await (const { leader, revision } of election.observe({ signal: end.signal })) {
      if (isJson) printJson({ leader: leader ?? null, revision });
      else process.stdout.write(`${leader ? describeLeader(leader) : 'no leader'}\n`);
    }
  } catch (error) {
    if (!end.signal.aborted) throw error;
  } finally {
    signals[Symbol.dispose]();
    await conclave.close();
  }
  return exitStatus.ok;
}

function describeLeader({ value, fencingToken, key }: Leader): string {
  return `${harmless(value)}  (token ${fencingToken}, ${harmless(key)})`;
}
