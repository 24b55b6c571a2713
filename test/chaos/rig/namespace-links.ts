import { command } from './command.js';
import { type Counts, type Impairment, Links, type Quality } from './links.js';
import type { Namespaces } from './namespaces.js';
import type { Link, Node } from './node.js';
import { type ShapedLink, Shaper } from './shaper.js';

/**
 * The network of the netns tier. What is lost is dropped by rules of the bridge, which are replaced as a whole; what is
 * late, or comes twice, goes around the bridge, through a process of its own that runs only then. Who has which address
 * always gets through: it would make a cut in one direction one in both.
 */
export class NamespaceLinks extends Links {
  readonly #namespaces: Namespaces;
  readonly #seed: number;
  #shaper: Shaper | undefined;
  #counts: Counts | undefined;
  #unplugged: readonly Node[] = [];

  constructor(namespaces: Namespaces, seed: number) {
    super();
    this.#namespaces = namespaces;
    this.#seed = seed;
  }

  override get counts(): Counts | undefined {
    return this.#counts;
  }

  protected async apply(active: readonly Impairment[]): Promise<void> {
    const { cut, lossy, shaped } = plan(active);
    if (shaped.length > 0) {
      this.#shaper ??= await Shaper.start(this.#namespaces, this.#seed);
      await this.#shaper.shape(shaped);
    }
    await command([...this.#namespaces.enter('switch'), 'nft', '-f', '-'], rules(cut, lossy, shaped));
    if (shaped.length === 0) await this.#endShaper();
    await this.#plug(active.flatMap((each) => (each.kind === 'unplugged' ? [each.node] : [])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endShaper();
  }

  async #plug(unplugged: readonly Node[]): Promise<void> {
    const changes = this.#namespaces.nodes
      .filter((node) => this.#unplugged.includes(node) !== unplugged.includes(node))
      .map((node) => `link set p-${node} ${unplugged.includes(node) ? 'down' : 'up'}\n`);
    if (changes.length > 0)
      await command([...this.#namespaces.enter('switch'), 'ip', '-batch', '-'], changes.join(''));
    this.#unplugged = unplugged;
  }

  async #endShaper(): Promise<void> {
    const shaper = this.#shaper;
    this.#shaper = undefined;
    await shaper?.[Symbol.asyncDispose]();
    this.#counts = shaper?.counts ?? this.#counts;
  }
}

interface Plan {
  readonly cut: readonly Link[];
  /** Only that. */
  readonly lossy: readonly ShapedLink[];
  readonly shaped: readonly ShapedLink[];
}

/** A link that is cut is nothing else; of several qualities a link has the sum. */
function plan(active: readonly Impairment[]): Plan {
  const cut = new Map<string, Link>();
  const degraded = new Map<string, ShapedLink>();
  for (const each of active) {
    if (each.kind === 'responses lost') throw new Error('needs the loopback tier: lost responses');
    if (each.kind === 'cut') for (const link of each.links) cut.set(nameOf(link), link);
    if (each.kind !== 'degraded') continue;
    for (const link of each.links)
      degraded.set(nameOf(link), { link, quality: sum(degraded.get(nameOf(link))?.quality, each.quality) });
  }
  const rest = [...degraded.values()].filter(({ link }) => !cut.has(nameOf(link)));
  const isOnlyLossy = ({ quality }: ShapedLink): boolean =>
    !quality.delayMs && !quality.jitterMs && !quality.duplicates;
  return {
    cut: [...cut.values()],
    lossy: rest.filter(isOnlyLossy),
    shaped: rest.filter((each) => !isOnlyLossy(each)),
  };
}

/** One transaction: the table with these rules in the place of the one before. */
function rules(cut: readonly Link[], lossy: readonly ShapedLink[], shaped: readonly ShapedLink[]): string {
  const dropped = [...cut, ...shaped.map(({ link }) => link)].map(
    ({ from, to }) => `"p-${from}" . "p-${to}"`,
  );
  const elements = dropped.length > 0 ? `elements = { ${dropped.join(', ')} }` : '';
  const chance = lossy.map(({ link: { from, to }, quality: { loss = 0 } }) => {
    const match = `iifname "p-${from}" oifname "p-${to}"`;
    return `${match} numgen random mod 1000 < ${Math.round(loss * 1_000)} drop`;
  });
  return `
    table bridge conclave
    delete table bridge conclave
    table bridge conclave {
      set dropped { type ifname . ifname; ${elements}; }
      chain forward {
        type filter hook forward priority 0; policy accept;
        ether type arp accept
        iifname . oifname @dropped drop
        ${chance.join('\n')}
      }
    }`;
}

function sum(one: Quality = {}, other: Quality): Quality {
  const add = (name: keyof Quality): number => (one[name] ?? 0) + (other[name] ?? 0);
  const atMostOne = (name: keyof Quality): number => Math.min(1, add(name));
  return {
    delayMs: add('delayMs'),
    jitterMs: add('jitterMs'),
    loss: atMostOne('loss'),
    duplicates: atMostOne('duplicates'),
  };
}

const nameOf = ({ from, to }: Link): string => `${from}>${to}`;
