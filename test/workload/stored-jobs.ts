import { idIn } from '../../src/queue/lane.js';
import { QueueLayout } from '../../src/queue/layout.js';
import { parseFacts } from '../history/facts.js';
import { type Life, livesOf } from '../history/lives.js';
import type { Change, Facts } from '../history/record.js';
import { grouped } from './grouped.js';

/** Where a job waits or runs, from its coming there to its going. */
export interface Place {
  readonly kind: 'ready' | 'group' | 'delayed' | 'active';
  readonly life: Life;
}

/** A job in the hands of a worker. */
export interface StoredClaim {
  readonly token: number;
  readonly life: Life;
  /** `lost`: the claim went alone. `moved`: the job was given back, or is to be tried again. */
  readonly end: 'done' | 'dead' | 'moved' | 'lost' | 'open';
}

/** A job from its enqueue to its end, as the store has it. */
export interface StoredJob {
  readonly id: string;
  /** As the client has called it, whatever its id. */
  readonly tag: string;
  readonly body: Life;
  readonly content: Facts;
  /** Oldest first. */
  readonly places: readonly Place[];
  readonly claims: readonly StoredClaim[];
  /** Its dead letter, or how it has ended, if that was kept. */
  readonly remembered: Life | undefined;
}

interface Parts {
  readonly bodies: Life[];
  readonly places: Place[];
  readonly claims: Life[];
  readonly ends: Life[];
}

/** All jobs that a queue ever had, in the order in which they were put. */
export function storedJobs(changes: readonly Change[], namespace: string, queue: string): StoredJob[] {
  const layout = new QueueLayout(namespace, queue);
  const parts = new Map<string, Parts>();
  const partsOf = (key: string): Parts => {
    const id = idIn(key);
    const its = parts.get(id) ?? { bodies: [], places: [], claims: [], ends: [] };
    parts.set(id, its);
    return its;
  };
  const below = changes.filter(({ key }) => key.startsWith(layout.prefix));
  for (const life of livesOf(below)) {
    const { key } = life;
    const isBelow = (start: string): boolean => key.startsWith(start);
    if (isBelow(layout.jobs)) partsOf(key).bodies.push(life);
    else if (isBelow(layout.dead) || isBelow(`${layout.prefix}result/`)) partsOf(key).ends.push(life);
    else if (isBelow(layout.ready.prefix)) partsOf(key).places.push({ kind: 'ready', life });
    else if (isBelow(`${layout.prefix}group/`)) partsOf(key).places.push({ kind: 'group', life });
    else if (isBelow(layout.delayed)) partsOf(key).places.push({ kind: 'delayed', life });
    else if (isBelow(layout.active) && !key.includes('/', layout.active.length))
      partsOf(key).places.push({ kind: 'active', life });
    else if (isBelow(layout.active)) partsOf(key.slice(0, key.lastIndexOf('/'))).claims.push(life);
  }
  return [...parts]
    .flatMap(([id, its]) => its.bodies.map((body) => jobOf(id, body, its)))
    .sort((a, b) => a.body.createRevision - b.body.createRevision);
}

function jobOf(id: string, body: Life, { places, claims, ends }: Parts): StoredJob {
  const content = parseFacts(body.forms[0]?.value ?? '');
  const { value } = content;
  const isIts = ({ createRevision }: Life): boolean =>
    body.createRevision <= createRevision && createRevision < body.deleteRevision;
  const its = places.filter(({ life }) => isIts(life));
  const remembered = ends.find(({ createRevision }) => createRevision === body.deleteRevision);
  const active = new Map(its.map(({ life }) => [life.createRevision, life]));
  const endOf = ({ createRevision, deleteRevision }: Life): StoredClaim['end'] => {
    if (deleteRevision === Infinity) return 'open';
    if (deleteRevision === body.deleteRevision) return remembered?.key.includes('/dead/') ? 'dead' : 'done';
    return active.get(createRevision)?.deleteRevision === deleteRevision ? 'moved' : 'lost';
  };
  return {
    id,
    tag: typeof value === 'string' ? value : '',
    body,
    content,
    places: its,
    claims: claims.filter(isIts).map((life) => ({ token: life.createRevision, life, end: endOf(life) })),
    remembered,
  };
}

/** By their names, which may be given again after the end of a job. */
export function byTag(jobs: readonly StoredJob[]): Map<string, StoredJob[]> {
  return grouped(jobs, ({ tag }) => tag);
}
