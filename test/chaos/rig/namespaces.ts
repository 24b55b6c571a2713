import { readdirSync } from 'node:fs';

import { command } from './command.js';
import { Guard } from './guard.js';
import { isLeftover, ownName } from './leftovers.js';
import type { Node } from './node.js';

const folder = '/run/netns';

/**
 * Network namespaces, one for each node and one for the switch between them, which is a bridge. The namespace of the
 * machine gets no interface, address, rule or route. Needs root.
 *
 * In the switch the port of a node is named `p-NODE`; the hardware addresses of the nodes count from 1.
 */
export class Namespaces implements AsyncDisposable {
  readonly nodes: readonly Node[];
  readonly #name: string;
  readonly #guard: Guard;

  private constructor(nodes: readonly Node[]) {
    this.nodes = nodes;
    this.#name = ownName();
    this.#guard = new Guard(remove, this.#all());
  }

  /** Sweeps what dead runs have left, too. */
  static async create(nodes: readonly Node[]): Promise<Namespaces> {
    if (nodes.length > 250) throw new RangeError('the addresses do not suffice');
    await sweep();
    const namespaces = new Namespaces(nodes);
    try {
      await namespaces.#build();
      return namespaces;
    } catch (error) {
      await namespaces[Symbol.asyncDispose]();
      throw error;
    }
  }

  addressOf(node: Node): string {
    return `10.0.0.${this.nodes.indexOf(node) + 1}`;
  }

  /** What a command begins with to be run there. It becomes the process of the command. */
  enter(node: Node | 'switch'): readonly string[] {
    return ['nsenter', `--net=${folder}/${this.#named(node)}`, '--'];
  }

  /** The names of all of them. Processes that still run in one keep it alive, out of reach. */
  async [Symbol.asyncDispose](): Promise<void> {
    await removeAll(this.#all());
    this.#guard[Symbol.dispose]();
  }

  async #build(): Promise<void> {
    const inSwitch = ['link add br0 type bridge forward_delay 0', 'link set br0 up'];
    this.nodes.forEach((node, i) => {
      const mac = `02:c0:00:00:00:${(i + 1).toString(16).padStart(2, '0')}`;
      const peer = `peer name eth0 netns ${this.#named(node)} address ${mac}`;
      inSwitch.push(`link add p-${node} type veth ${peer}`, `link set p-${node} master br0 up`);
    });
    await command(['ip', '-batch', '-'], lines(this.#all().map((name) => `netns add ${name}`)));
    await command(['ip', '-n', this.#named('switch'), '-batch', '-'], lines(inSwitch));
    await Promise.all(
      this.nodes.map((node) => {
        const inNode = [`addr add ${this.addressOf(node)}/24 dev eth0`, 'link set eth0 up', 'link set lo up'];
        return command(['ip', '-n', this.#named(node), '-batch', '-'], lines(inNode));
      }),
    );
  }

  #named(node: Node | 'switch'): string {
    return `${this.#name}-${node}`;
  }

  #all(): string[] {
    return [this.#named('switch'), ...this.nodes.map((node) => this.#named(node))];
  }
}

const remove = 'for name; do ip netns del "$name"; done';

async function removeAll(names: readonly string[]): Promise<void> {
  const existing = new Set(namesInUse());
  const batch = names.filter((name) => existing.has(name)).map((name) => `netns del ${name}`);
  if (batch.length > 0) await command(['ip', '-force', '-batch', '-'], lines(batch));
}

/** Several runs may start at once, and sweep the same. */
async function sweep(): Promise<void> {
  await removeAll(namesInUse().filter(isLeftover)).catch(() => {});
}

function namesInUse(): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // nobody has ever made one
  }
}

const lines = (each: readonly string[]): string => each.map((line) => `${line}\n`).join('');
