import { type Probe, probes } from '../base/probes.js';
import type { Fault } from './call-faults.js';
import type { Peer } from './peer.js';

export interface ProbeAim {
  /** Only there. @default all */
  readonly peer: Peer | undefined;
  readonly callback: (peer: Peer) => void;
}

/** What a test has hung up at the probe points of the library. */
export class ProbeHooks {
  readonly #hooks = new Set<(peer: Peer, passed: Probe) => void>();

  add(name: Probe, { peer: only, callback }: ProbeAim): Fault {
    let hasFired = false;
    const hook = (peer: Peer, passed: Probe): void => {
      if (passed !== name || (only !== undefined && peer !== only)) return;
      hasFired = true;
      callback(peer);
    };
    this.#hooks.add(hook);
    return {
      get hasFired() {
        return hasFired;
      },
      cancel: () => this.#hooks.delete(hook),
    };
  }

  pass(peer: Peer, probe: Probe): void {
    for (const hook of this.#hooks) hook(peer, probe);
  }

  clear(): void {
    this.#hooks.clear();
  }
}

/**
 * For names that the compiler has not seen: nobody would ever come by, and the test would pass.
 *
 * @throws TypeError if there is no such point
 */
export function checkProbe(name: string): void {
  const known: readonly string[] = probes;
  if (!known.includes(name)) throw new TypeError(`there is no probe ${name}; there are ${probes.join(', ')}`);
}
