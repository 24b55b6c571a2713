import { isConclaveError, type SavedSnapshot } from '../index.js';
import { commonHelp, parse, wrongUsage } from './arguments.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { asUsage, open } from './opening.js';
import { harmless, printJson } from './printing.js';
import { Interrupted, Signals, statusOfSignal } from './signals.js';
import { progressBar, StatusLine } from './status-line.js';

const usage = 'conclave snapshot save FILE [--force] [OPTIONS]';

export const snapshotHelp: string = `Saves the database of a member of etcd to a file.

Usage: ${usage}

  --force               replaces a file that is there, once the new one is complete
${commonHelp}, 73 there is a file of that
name already (see --force), or it cannot be written.

The first of the --endpoints that answers is asked. The file appears under its name when it is complete and its checksum is
right; before that it is FILE, a number and .part. It holds all data, and hashes of passwords: only its owner may read it.
"etcdutl snapshot restore FILE" (before etcd 3.5 "etcdctl snapshot restore FILE") makes a new cluster of it.
`;

/** @returns the exit status */
export async function snapshot(args: readonly string[]): Promise<number> {
  const { store, isJson, positionals, own } = parse(args, { force: { type: 'boolean' } });
  const [action, path, ...others] = positionals;
  if (action !== 'save') throw wrongUsage('what to do is missing: save', usage);
  if (path === undefined || path === '') throw wrongUsage('the name of the file is missing', usage);
  if (others.length > 0)
    throw wrongUsage(`one file is enough, ${JSON.stringify(others[0])} is too much`, usage);
  const conclave = await open(store);
  const interruption = new AbortController();
  using signals = new Signals((name) => interruption.abort(new Interrupted(name)));
  try {
    using line = new StatusLine();
    const saved = await conclave.store.maintenance.snapshot(path, {
      overwrite: own['force'] === true,
      signal: interruption.signal,
      onProgress: ({ receivedBytes, totalBytes }) =>
        line.show(`${harmless(path)} ${progressBar(mebibytes(receivedBytes), mebibytes(totalBytes), 'MiB')}`),
    });
    line.clear();
    print(path, saved, isJson);
    return exitStatus.ok;
  } catch (error) {
    if (error instanceof Interrupted) return statusOfSignal(error.signalName);
    throw failureIn(error);
  } finally {
    signals.handTo((name) => process.exit(statusOfSignal(name)));
    await conclave.close();
  }
}

function print(path: string, { endpoint, sizeBytes }: SavedSnapshot, isJson: boolean): void {
  if (isJson) printJson({ path, endpoint, sizeBytes });
  else process.stdout.write(`${harmless(path)}: ${sizeBytes} bytes from ${endpoint}, checksum right\n`);
}

function failureIn(error: unknown): unknown {
  const cause = { cause: error };
  if (isConclaveError(error, 'ALREADY_EXISTS'))
    return new Failure(exitStatus.cannotCreate, `${oneLine(error)}: --force replaces it`, cause);
  if (error instanceof Error && 'syscall' in error)
    return new Failure(exitStatus.cannotCreate, oneLine(error), cause);
  return asUsage(error);
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
