import { readFileSync } from 'node:fs';
import { type Conclave, connect, type ConnectOptions } from '../index.js';
import type { StoreArguments } from './arguments.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { askPassword } from './password.js';

/** Connects as the arguments say. @throws Failure for arguments that make no sense together, or a file that cannot be read */
export async function open(
  { endpoints, namespace, username, passwordFile, ca, cert, key }: StoreArguments,
  options: Pick<ConnectOptions, 'sessionTtlMs'> = {},
): Promise<Conclave> {
  const tls = {
    ...(ca !== undefined && { ca: read(ca, '--ca') }),
    ...(cert !== undefined && { cert: read(cert, '--cert') }),
    ...(key !== undefined && { key: read(key, '--key') }),
  };
  if (passwordFile !== undefined && username === undefined) {
    throw new Failure(exitStatus.usage, '--password-file needs --username');
  }
  const password = username === undefined ? undefined : await passwordOf(username, passwordFile);
  try {
    return await connect({
      ...options,
      endpoints,
      ...(namespace !== undefined && { namespace }),
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(Object.keys(tls).length > 0 && { tls }),
    });
  } catch (error) {
    throw asUsage(error);
  }
}

/** What a factory of the library makes. @throws Failure for a bad name or number */
export function primitive<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw asUsage(error);
  }
}

/** The library's TypeErrors and RangeErrors tell of bad arguments, before any I/O: here they are the user's. */
export function asUsage(error: unknown): unknown {
  if (!(error instanceof TypeError || error instanceof RangeError)) return error;
  return new Failure(exitStatus.usage, oneLine(error), { cause: error });
}

async function passwordOf(username: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return firstLine(read(file, '--password-file'));
  return process.env['CONCLAVE_PASSWORD'] ?? (await askPassword(`Password of etcd user ${username}: `));
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}

function read(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(exitStatus.usage, `${option}: cannot read the file (${oneLine(error)})`, {
      cause: error,
    });
  }
}
