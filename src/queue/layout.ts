import { encodeName, linePrefix, placeText } from '../base/keys.js';
import { Lane } from './lane.js';

/** The lanes of a queue: those of a higher priority are emptied first. */
export const priorities: readonly number[] = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

/** As late as a Date can be: what is due after that is due never. */
const latestMs = 8.64e15;

/** Where a queue keeps what. `docs/keys.md` describes it. */
export class QueueLayout {
  readonly prefix: string;
  /** For messages: `queue "emails"`. */
  readonly title: string;
  /** Jobs that may be taken. */
  readonly ready: Lanes;
  /** Everything about jobs that run: see `activeOf` and `claimsOf`. */
  readonly active: string;
  /** Bodies of all jobs that have not come to their end. */
  readonly jobs: string;
  readonly delayed: string;
  readonly dead: string;
  readonly groups: string;
  readonly schedules: string;
  /** Workers that wait for a job stand in line here. */
  readonly workers: string;
  /** While it is there no job is taken. */
  readonly paused: string;
  /** Those who want to look after the queue stand in line here. */
  readonly upkeep: string;
  /** With a limit for the whole queue: whoever may run a job stands in line here. */
  readonly permits: string;

  /** @throws TypeError, RangeError for a bad name */
  constructor(namespace: string, name: string) {
    if (typeof name !== 'string') throw new TypeError('the name of a queue must be a string');
    const prefix = linePrefix(namespace, 'queue', name);
    this.prefix = prefix;
    this.title = `queue ${placeText(name)}`;
    this.ready = new Lanes(`${prefix}ready/`, `${prefix}floor/ready/`);
    this.active = `${prefix}active/`;
    this.jobs = `${prefix}job/`;
    this.delayed = `${prefix}delayed/`;
    this.dead = `${prefix}dead/`;
    this.groups = `${prefix}floor/group/`;
    this.schedules = `${prefix}schedule/`;
    this.workers = `${prefix}workers/`;
    this.paused = `${prefix}workers/paused`;
    this.upkeep = `${prefix}upkeep/`;
    this.permits = `${prefix}permits/`;
  }

  job(id: string): string {
    return this.jobs + encodeName(id);
  }

  /** Says that the job is being worked on, since when and by whom; survives the worker. */
  activeOf(id: string): string {
    return this.active + encodeName(id);
  }

  /** Below it the claim of the worker stands, under its session: without one the job is an orphan. */
  claimsOf(id: string): string {
    return `${this.activeOf(id)}/`;
  }

  deadOf(id: string): string {
    return this.dead + encodeName(id);
  }

  /** How a job has ended, kept for a while. */
  result(id: string): string {
    return `${this.prefix}result/${encodeName(id)}`;
  }

  /** Where a job waits, once that is no longer where it was put first. */
  placeOf(id: string): string {
    return `${this.prefix}place/${encodeName(id)}`;
  }

  /** Somebody wants a job that runs to stop. */
  cancelOf(id: string): string {
    return `${this.prefix}cancel/${encodeName(id)}`;
  }

  delayedAt(due: number, id: string): string {
    return `${this.delayedBefore(due)}/${encodeName(id)}`;
  }

  /** The end of the range of all that is due before this time. @param due wall clock, milliseconds since 1970 */
  delayedBefore(due: number): string {
    const at = Math.min(latestMs, Math.max(0, Math.ceil(due)));
    return this.delayed + at.toString(16).padStart(16, '0');
  }

  /** Jobs of a group that wait for one of its slots. */
  group(group: string): Lanes {
    const name = encodeName(group);
    return new Lanes(`${this.prefix}group/${name}/`, `${this.groups}${name}/`);
  }

  /** The slots of a group: a job of it that may be taken, or runs, occupies one. */
  slotsOf(group: string): string {
    return `${this.prefix}slot/${encodeName(group)}/`;
  }

  slot(group: string, index: number): string {
    return `${this.slotsOf(group)}${index}`;
  }

  schedule(name: string): string {
    return this.schedules + encodeName(name);
  }
}

/** One lane per priority. */
export class Lanes {
  readonly prefix: string;
  readonly floors: string;

  constructor(prefix: string, floors: string) {
    this.prefix = prefix;
    this.floors = floors;
  }

  lane(priority: number): Lane {
    return new Lane(this.prefix, this.floors, priority);
  }
}
