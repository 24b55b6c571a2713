import { Cluster, type ClusterOptions } from '../../rig/cluster.js';
import type { Links } from './links.js';
import { NamespaceLinks } from './namespace-links.js';
import { Namespaces } from './namespaces.js';
import { client, member, type Node } from './node.js';
import { ProxyLinks } from './proxy-links.js';
import { Relay } from './relay.js';

export interface GroundOptions {
  readonly cluster: ClusterOptions;
  readonly members: number;
  readonly clients: number;
  readonly seed: number;
}

/** A cluster, places for clients, and the network between them. */
export interface Ground extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly links: Links;
  /** Where the program at a place finds the members. */
  endpointsFor(client: number): readonly string[];
  /** What a command begins with to be run at a place. It becomes the process of the command. */
  enter(client: number): readonly string[];
}

/** A proxy between each client and each member; everything else is as ever. */
export async function onLoopback(options: GroundOptions): Promise<Ground> {
  const cluster = await Cluster.start(options.cluster);
  const links = await ProxyLinks.start(cluster.endpoints, options.clients);
  return {
    cluster,
    links,
    endpointsFor: (client) => links.endpointsFor(client),
    enter: () => [],
    [Symbol.asyncDispose]: () => disposeAll([links, cluster]),
  };
}

/** A namespace for each member and each client. This process reaches the members from one that no fault concerns. */
export async function inNamespaces(options: GroundOptions): Promise<Ground> {
  const members = Array.from({ length: options.members }, (_, i) => member(i));
  const clients = Array.from({ length: options.clients }, (_, i) => client(i));
  const owned: AsyncDisposable[] = [];
  const own = <T extends AsyncDisposable>(resource: T): T => {
    owned.unshift(resource);
    return resource;
  };
  const dispose = (): Promise<void> => disposeAll(owned);
  try {
    const namespaces = own(await Namespaces.create([...members, ...clients, 'observer']));
    const hosts = members.map((node) => namespaces.addressOf(node));
    const targets = hosts.map((host) => ({ host, port: 2379 }));
    const relay = own(await Relay.start(namespaces.enter('observer'), targets));
    const enter = (node: Node): readonly string[] => namespaces.enter(node);
    const endpoints = relay.ports.map((port) => `http://127.0.0.1:${port}`);
    const housing = { hosts, endpoints, enter: members.map(enter) };
    const cluster = own(await Cluster.start({ ...options.cluster, housing }));
    return {
      cluster,
      links: own(new NamespaceLinks(namespaces, options.seed)),
      endpointsFor: () => hosts.map((host) => `http://${host}:2379`),
      enter: (index) => enter(client(index)),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** One after the other, all of them even if one fails. */
export async function disposeAll(resources: readonly AsyncDisposable[]): Promise<void> {
  const errors: unknown[] = [];
  for (const each of resources) {
    try {
      await each[Symbol.asyncDispose]();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors);
}
