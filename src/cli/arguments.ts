import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Place } from '../index.js';
import { exitStatus, Failure, oneLine } from './failure.js';

/** Where the store is and who asks, as given. */
export interface StoreArguments {
  readonly endpoints: readonly string[];
  readonly namespace: string | undefined;
  readonly username: string | undefined;
  readonly passwordFile: string | undefined;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface Arguments {
  readonly store: StoreArguments;
  readonly isJson: boolean;
  readonly positionals: readonly string[];
  /** The options that only this command has. */
  readonly own: Readonly<Record<string, string | boolean | undefined>>;
}

type Options = NonNullable<ParseArgsConfig['options']>;

const commonOptions = {
  endpoints: { type: 'string' },
  namespace: { type: 'string' },
  username: { type: 'string' },
  'password-file': { type: 'string' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
  json: { type: 'boolean' },
} as const satisfies Options;

export const commonHelp = `
  --endpoints URL,...   addresses of etcd; also CONCLAVE_ENDPOINTS (default http://127.0.0.1:2379)
  --namespace NAME      first part of every key (default conclave)
  --username NAME       the password is taken from CONCLAVE_PASSWORD, from --password-file, or asked for
  --password-file FILE  its first line is the password
  --ca FILE             PEM: the authority that signed the servers' certificates
  --cert FILE           PEM: the client's certificate
  --key FILE            PEM: the key of that certificate
  --json                prints a JSON object per line; large numbers are strings
  --help

Exit status: 0 done, 64 wrong usage, 69 etcd unreachable or out of space, 77 permission or password`;

/** @throws Failure for an unknown option, or one without its value */
export function parse(args: readonly string[], ownOptions: Options): Arguments {
  const { values, positionals } = parsed(args, { ...commonOptions, ...ownOptions });
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  const hasTls = ['ca', 'cert', 'key'].some((name) => values[name] !== undefined);
  const own = Object.keys(ownOptions).map((name) => [name, values[name] as string | boolean | undefined]);
  return {
    store: {
      endpoints: parseEndpoints(
        text('endpoints') ?? process.env['CONCLAVE_ENDPOINTS'],
        hasTls ? 'https' : 'http',
      ),
      namespace: text('namespace'),
      username: text('username'),
      passwordFile: text('password-file'),
      ca: text('ca'),
      cert: text('cert'),
      key: text('key'),
    },
    isJson: values['json'] === true,
    positionals,
    own: Object.fromEntries(own) as Arguments['own'],
  };
}

function parsed(args: readonly string[], options: Options): ReturnType<typeof parseArgs> {
  if (args.some((arg) => /^--password(=|$)/.test(arg))) {
    throw new Failure(
      exitStatus.usage,
      'a password on the command line can be read by everybody on this machine: use CONCLAVE_PASSWORD or --password-file',
    );
  }
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    // The second sentence of Node's message is advice for another situation.
    throw new Failure(
      exitStatus.usage,
      `${oneLine(error).replace(/(\. To specify .*|\.)$/, '')}; see --help`,
    );
  }
}

/** Like etcdctl, takes `host:port` too; it means what the TLS options make of it. */
function parseEndpoints(text: string | undefined, scheme: 'http' | 'https'): readonly string[] {
  const parts = (text ?? '').split(',').map((part) => part.trim());
  const named = parts.filter((part) => part !== '');
  if (named.some((part) => part.startsWith('memory:'))) {
    throw new Failure(
      exitStatus.usage,
      'memory: lives within one process; a command needs an etcd to meet others',
    );
  }
  if (named.length === 0) return [`${scheme}://127.0.0.1:2379`];
  return named.map((part) => (part.includes('://') ? part : `${scheme}://${part}`));
}

/** `NAME`, or `--path PREFIX` in its place. */
export function parsePlace(
  { positionals, own }: Pick<Arguments, 'positionals' | 'own'>,
  usage: string,
): Place {
  const [name, ...others] = positionals;
  const { path } = own;
  if (typeof path === 'string') {
    if (name !== undefined) throw wrongUsage(`--path ${path} stands in the place of the name ${name}`, usage);
    return { path };
  }
  if (name === undefined) throw wrongUsage('a name is missing', usage);
  if (others.length > 0)
    throw wrongUsage(`one name is enough, ${JSON.stringify(others[0])} is too much`, usage);
  return name;
}

/** For messages. */
export function nameOf(place: Place): string {
  return typeof place === 'string' ? place : place.path;
}

/** @throws Failure unless it is a whole number, 1 or more */
export function parseCount(text: string, option: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new Failure(exitStatus.usage, `${option}: ${JSON.stringify(text)} is not a whole number, 1 or more`);
}

export function wrongUsage(what: string, usage: string): Failure {
  return new Failure(exitStatus.usage, `${what}: ${usage}`);
}
