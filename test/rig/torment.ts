import { setTimeout as delay } from 'node:timers/promises';

import type { Random } from '../../src/testing/random.js';
import type { Client } from './client.js';
import type { Cluster } from './cluster.js';

/** Processes to be killed and stopped. */
export interface Victims {
  readonly working: readonly Client[];
  /** Puts others in the place of those that were killed. */
  fill(): Promise<void>;
  killOne(victim: Client): Promise<void>;
  /** Stops one while it holds and is about to write, and resumes it when its leases have ended. */
  stopAtWrite(victim: Client): Promise<void>;
}

export interface TormentOptions {
  readonly cluster: Cluster;
  readonly victims: Victims;
  readonly random: Random;
  readonly seconds: number;
}

/**
 * One fault after the other, drawn by chance, each kind at least once; at most one member is away at a time, and all is
 * well again at the end. Resolves with how often each happened.
 */
export async function torment(options: TormentOptions): Promise<Record<string, number>> {
  const { cluster, victims, random, seconds } = options;
  const end = performance.now() + seconds * 1_000;
  const below = (count: number): number => Math.floor(random.between(0, count));
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const faults = {
    'client killed': async () => victims.killOne(pick(victims.working)),
    'client stopped past its TTL': async () => victims.stopAtWrite(pick(victims.working)),
    'client stopped for a moment': async () => {
      const victim = pick(victims.working);
      victim.signal('SIGSTOP');
      await delay(random.between(0, 1_000));
      victim.signal('SIGCONT');
    },
    'member killed': async () => {
      const member = below(3);
      await cluster.kill(member);
      await delay(random.between(0, 1_000));
      await cluster.restart(member);
    },
    'member stopped': async () => {
      const member = below(3);
      cluster.stop(member);
      await delay(random.between(500, 3_000));
      cluster.cont(member);
      await cluster.healthy();
    },
  };
  const names = Object.keys(faults) as (keyof typeof faults)[];
  const counts = Object.fromEntries(names.map((name) => [name, 0]));
  const first = names.map((name) => ({ name, place: random.next() })).sort((a, b) => a.place - b.place);
  while (first.length > 0 || performance.now() < end) {
    const name = first.pop()?.name ?? pick(names);
    await faults[name]();
    counts[name]! += 1;
    await victims.fill();
    await delay(random.between(0, 500));
  }
  return counts;
}
