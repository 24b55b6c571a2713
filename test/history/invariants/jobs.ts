import { sessionKey } from '../../../src/base/keys.js';
import { idIn } from '../../../src/queue/lane.js';
import { QueueLayout } from '../../../src/queue/layout.js';
import type { Life } from '../lives.js';

/** A job, as the store has it: all that stood under its id. */
export interface Job {
  readonly id: string;
  /** Its bodies: more than one if it was enqueued anew after its end. */
  readonly bodies: readonly Life[];
  /** The fencing token of a delivery is the create revision of its claim. */
  readonly claims: readonly Claim[];
  readonly dead: readonly Life[];
}

export interface Claim {
  readonly life: Life;
  readonly token: number;
  /** The claim, and with it the body: it is done. */
  readonly hasEndedJob: boolean;
  /** Its worker's session is gone at this revision; Infinity if it is not. */
  readonly sessionEnd: number;
}

/** What the store has recorded of a queue, by the ids of its jobs. */
export function jobsOf(lives: readonly Life[], namespace: string, queue: string): Map<string, Job> {
  const { jobs, active, deadOf } = layoutOf(namespace, queue);
  const sessions = new Map<string, number>();
  const found = new Map<string, { bodies: Life[]; claims: Life[]; dead: Life[] }>();
  const jobOf = (id: string): { bodies: Life[]; claims: Life[]; dead: Life[] } => {
    const job = found.get(id) ?? { bodies: [], claims: [], dead: [] };
    found.set(id, job);
    return job;
  };
  for (const life of lives) {
    const { key } = life;
    if (key.startsWith(jobs)) jobOf(idIn(key)).bodies.push(life);
    else if (key.startsWith(deadOf)) jobOf(idIn(key)).dead.push(life);
    else if (key.startsWith(active)) {
      const end = key.indexOf('/', active.length);
      if (end > 0) jobOf(idIn(key.slice(0, end))).claims.push(life);
    } else if (key.startsWith(`${namespace}/session/`)) sessions.set(key, life.deleteRevision);
  }
  return new Map(
    [...found].map(([id, { bodies, claims, dead }]) => {
      const ends = new Set(bodies.map(({ deleteRevision }) => deleteRevision));
      const claim = (life: Life): Claim => ({
        life,
        token: life.createRevision,
        hasEndedJob: life.deleteRevision < Infinity && ends.has(life.deleteRevision),
        sessionEnd: sessions.get(sessionOf(life.key, namespace)) ?? Infinity,
      });
      return [id, { id, bodies, claims: claims.map(claim), dead }];
    }),
  );
}

function layoutOf(namespace: string, queue: string): { jobs: string; active: string; deadOf: string } {
  const { jobs, active, dead } = new QueueLayout(namespace, queue);
  return { jobs, active, deadOf: dead };
}

/** The name of a ticket begins with its lease. */
function sessionOf(key: string, namespace: string): string {
  const lease = /\/([0-9a-f]{1,16})-\d+$/.exec(key)?.[1] ?? '0';
  return sessionKey(namespace, BigInt(`0x${lease}`));
}
