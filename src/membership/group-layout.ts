import { decodeName, encodeName, folderPrefix } from '../base/keys.js';
import { Line } from '../session/line.js';

/** Where the members of a group stand: each id is a line of its own, whose oldest ticket is the member. */
export class GroupLayout {
  readonly name: string;
  /** For messages. */
  readonly title: string;
  readonly prefix: string;

  /** @throws TypeError, RangeError for a bad name */
  constructor(namespace: string, name: string) {
    this.prefix = `${folderPrefix(namespace, 'group')}${encodeName(name)}/`;
    this.name = name;
    this.title = `group ${JSON.stringify(name)}`;
  }

  /** Everybody, as one line: to read and to watch. */
  all(): Line {
    return new Line({ prefix: this.prefix, title: this.title });
  }

  /** Where to stand to be the member of this id. @throws TypeError, RangeError for a bad id */
  lineOf(id: string): Line {
    const prefix = `${this.prefix}${encodeName(id)}/`;
    return new Line({ prefix, title: `member ${JSON.stringify(id)} of ${this.title}` });
  }

  /** Whose key it is; undefined for what is none of ours. */
  idIn(key: string): string | undefined {
    const [id, ticket, ...others] = key.slice(this.prefix.length).split('/');
    return id && ticket && others.length === 0 ? decodeName(id) : undefined;
  }
}
