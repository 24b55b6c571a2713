import type { Answer, GetResult, SortTarget } from '../index.js';
import { commonHelp, parseCount, wrongUsage } from './arguments.js';
import { exitStatus, Failure } from './failure.js';
import {
  type KvArguments,
  numberOption,
  parseKv,
  parseTarget,
  rangeHelp,
  rangeOptions,
  withStore,
} from './kv-arguments.js';
import { lineOf, pairAsJson } from './kv-printing.js';
import { printJson } from './printing.js';

const usage = 'conclave kv get KEY [--prefix | --from-key | --end END] [--rev N] [--limit N]';

const sortTargets: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];

export const getHelp: string = `Prints what stands at a key, or at many.

Usage: ${usage}

${rangeHelp}
  --rev N               as it was at this revision
  --limit N             so many at most
  --sort BY             key, version, create, mod or value; with a "-" before it the last one first (default key)
  --keys-only           without the values
  --count-only          how many there are
${commonHelp},
66 there is no such key, or that revision is not there (any more).

Of one key the value is printed as it is, and a line feed; of many a line each, key and value with a tab between them, control
characters escaped. A range in which nothing is is no failure. With --json a value that is no text is in "valueBase64".
`;

/** @returns the exit status */
export async function get(args: readonly string[]): Promise<number> {
  const flag = { type: 'boolean' } as const;
  const text = { type: 'string' } as const;
  const own = { ...rangeOptions, rev: text, limit: text, sort: text, 'keys-only': flag, 'count-only': flag };
  const request = parseKv(args, { usage, least: 1, most: 1 }, own);
  const target = parseTarget(request, usage);
  const { limit, sort } = request.own;
  const options = {
    revision: numberOption(request, 'rev'),
    ...(typeof limit === 'string' && { limit: parseCount(limit, '--limit') }),
    ...(typeof sort === 'string' && { sort: parseSort(sort) }),
    keysOnly: request.own['keys-only'] === true,
    countOnly: request.own['count-only'] === true,
  };
  return withStore(request, async (store, signal) => {
    const answer = await store.get(target, { ...options, signal });
    if (options.countOnly) print(answer.count, request, answer);
    else if (typeof target === 'string') printOne(target, request, answer);
    else printAll(request, answer);
    return exitStatus.ok;
  });
}

function print(count: number, { isJson }: KvArguments, { header }: Answer<GetResult>): void {
  if (isJson) printJson({ count, revision: header.revision });
  else process.stdout.write(`${count}\n`);
}

function printOne(key: string, request: KvArguments, { kvs: [kv], header }: Answer<GetResult>): void {
  if (!kv)
    throw new Failure(
      exitStatus.missing,
      `there is no key ${JSON.stringify(key)} (revision ${header.revision})`,
    );
  if (request.isJson || request.own['keys-only']) return printAll(request, { kvs: [kv] });
  process.stdout.write(process.stdout.isTTY ? lineOf(kv.value) : kv.value);
  process.stdout.write('\n');
}

function printAll({ isJson, own }: KvArguments, { kvs }: Pick<GetResult, 'kvs'>): void {
  const isWithValue = !own['keys-only'];
  for (const kv of kvs) {
    if (isJson) printJson(pairAsJson(kv, isWithValue));
    else process.stdout.write(`${lineOf(kv.key)}${isWithValue ? `\t${lineOf(kv.value)}` : ''}\n`);
  }
}

function parseSort(text: string): readonly [SortTarget, 'ascend' | 'descend'] {
  const target = sortTargets.find((each) => each === text.replace(/^-/, ''));
  if (!target)
    throw wrongUsage(`--sort: there is no ${JSON.stringify(text)}, but ${sortTargets.join(', ')}`, usage);
  return [target, text.startsWith('-') ? 'descend' : 'ascend'];
}
