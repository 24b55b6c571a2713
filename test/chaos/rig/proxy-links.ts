import { Proxy, type ProxyMode } from '../../rig/proxy.js';
import { type Impairment, Links } from './links.js';
import { client, type Link, member } from './node.js';

/** The network of the loopback tier: a proxy between each client and each member. Members reach each other unhindered. */
export class ProxyLinks extends Links {
  override readonly counts: undefined;
  /** By client, then by member. */
  readonly #proxies: readonly (readonly Proxy[])[];

  private constructor(proxies: readonly (readonly Proxy[])[]) {
    super();
    this.#proxies = proxies;
  }

  static async start(endpoints: readonly string[], clients: number): Promise<ProxyLinks> {
    const start = (): Promise<Proxy[]> => Promise.all(endpoints.map((each) => Proxy.start(each)));
    return new ProxyLinks(await Promise.all(Array.from({ length: clients }, start)));
  }

  endpointsFor(client: number): readonly string[] {
    return (this.#proxies[client] ?? []).map(({ endpoint }) => endpoint);
  }

  protected async apply(active: readonly Impairment[]): Promise<void> {
    for (const each of active) refuseUnlessBetweenClientAndMember(each);
    const changes = this.#proxies.flatMap((proxies, c) =>
      proxies.map(async (proxy, m) => {
        const mode = modeOf(active, { from: client(c), to: member(m) }, { from: member(m), to: client(c) });
        if (!isSame(proxy.mode, mode)) await proxy.set(mode);
      }),
    );
    await Promise.all(changes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#proxies.flat().map((proxy) => proxy[Symbol.asyncDispose]()));
  }
}

/** What a proxy has to do: the worst of what was asked for. */
function modeOf(active: readonly Impairment[], up: Link, down: Link): ProxyMode {
  const cuts = active.filter(({ kind }) => kind === 'cut');
  const [isCutUp, isCutDown] = [up, down].map((link) => cuts.some((each) => covers(each, link)));
  if (isCutUp && isCutDown) return 'silent';
  if (isCutUp) return 'mute-requests';
  if (isCutDown) return 'mute-answers';
  let delayMs = 0;
  for (const each of active) {
    if (each.kind === 'responses lost' && covers(each, down))
      return { kind: 'drop-response', resetAfterMs: each.resetAfterMs };
    if (each.kind === 'degraded' && (covers(each, up) || covers(each, down)))
      delayMs += each.quality.delayMs ?? 0;
  }
  return delayMs > 0 ? { kind: 'delay', delayMs } : 'pass';
}

function covers(impairment: Impairment, { from, to }: Link): boolean {
  return 'links' in impairment && impairment.links.some((each) => each.from === from && each.to === to);
}

function isSame(one: ProxyMode, other: ProxyMode): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function refuseUnlessBetweenClientAndMember(impairment: Impairment): void {
  const links = 'links' in impairment ? impairment.links : [];
  const isBetween = links.every(({ from, to }) => from.startsWith('c') !== to.startsWith('c'));
  const { loss, duplicates, jitterMs } = impairment.kind === 'degraded' ? impairment.quality : {};
  if (impairment.kind === 'unplugged' || !isBetween || loss || duplicates || jitterMs)
    throw new Error(`needs the netns tier: ${JSON.stringify(impairment)}`);
}
