import { decodeName, encodeName, folderPrefix } from '../base/keys.js';
import { Line } from '../session/line.js';
import { lineOf } from '../session/line-kinds.js';
import type { GroupLayout } from './group-layout.js';

/**
 * Where the shards of a group stand: each is a mutex, whoever would have some stands for an election, whose leader plans. Both are
 * those of their names, so whatever works on mutexes and elections works on them.
 */
export class ShardsLayout {
  readonly title: string;
  /** The number of shards. */
  readonly shards: number;
  /** Who stands there would have shards; the oldest plans. */
  readonly candidates: Line;
  /** Which member is to have which shard, as last planned. */
  readonly plan: Line;
  readonly #namespace: string;
  readonly #name: string;

  constructor(namespace: string, group: GroupLayout, shards: number) {
    this.#namespace = namespace;
    this.#name = `${group.name}/shards`;
    this.shards = shards;
    this.title = `shards of ${group.title}`;
    this.candidates = lineOf(namespace, 'election', this.#name);
    const key = `${namespace}/shards/${encodeName(group.name)}`;
    this.plan = new Line({ prefix: key, title: `the plan of the ${this.title}`, isOneKey: true });
    this.lineOf(shards); // too long a name is refused here
  }

  /** Whoever is the first in this line owns the shard. */
  lineOf(shard: number): Line {
    return lineOf(this.#namespace, 'mutex', `${this.#name}/${shard}`);
  }

  /** What all lines of shards begin with; some other mutexes may, too. */
  get linesPrefix(): string {
    return `${folderPrefix(this.#namespace, 'lock')}${encodeName(`${this.#name}/`)}`;
  }

  /** Which shard's ticket it is; undefined for what is none. */
  shardIn(key: string): number | undefined {
    const [name, ticket, ...others] = key.slice(this.linesPrefix.length).split('/');
    const text = name && ticket && others.length === 0 ? decodeName(name) : '';
    const shard = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : NaN;
    return shard < this.shards ? shard : undefined;
  }
}
