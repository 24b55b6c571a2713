import type { StoreEvent } from '../index.js';
import { commonHelp } from './arguments.js';
import { exitStatus } from './failure.js';
import { numberOption, parseKv, parseTarget, rangeHelp, rangeOptions, withStore } from './kv-arguments.js';
import { bytesAs, lineOf, pairAsJson } from './kv-printing.js';
import { printJson } from './printing.js';

const usage = 'conclave kv watch KEY [--prefix | --from-key | --end END] [--rev N] [--prev-kv]';

export const watchHelp: string = `Prints each change of a key, or of many, as it happens, in order, until SIGINT or SIGTERM.

Usage: ${usage}

${rangeHelp}
  --rev N               from this revision on (default: from now)
  --prev-kv             with what stood there before
${commonHelp},
66 the revision has been compacted away.

A line for each: put or delete, the revision, key, value, with --prev-kv the value before, with tabs between them. With --json
an object for each, and before the first one {"type":"created"} with the revision after which nothing is missed.
`;

/** @returns the exit status */
export async function watch(args: readonly string[]): Promise<number> {
  const own = { ...rangeOptions, rev: { type: 'string' }, 'prev-kv': { type: 'boolean' } } as const;
  const request = parseKv(args, { usage, least: 1, most: 1 }, own);
  const target = parseTarget(request, usage);
  const prevKv = request.own['prev-kv'] === true;
  const options = { startRevision: numberOption(request, 'rev'), prevKv };
  return withStore(request, async (store, interruption) => {
    const end = new AbortController();
    const onEnd = (): void => end.abort();
    interruption.addEventListener('abort', onEnd, { once: true });
    process.stdout.once('error', onEnd); // nobody reads
    try {
      for await (const notice of store.watch(target, { ...options, signal: end.signal })) {
        if (notice.kind === 'created' && request.isJson)
          printJson({ type: 'created', revision: notice.revision });
        if (notice.kind !== 'events') continue;
        for (const event of notice.events) {
          if (request.isJson) printJson(asJson(event, prevKv));
          else process.stdout.write(`${lineFor(event)}\n`);
        }
      }
    } catch (error) {
      if (!end.signal.aborted) throw error;
    }
    return exitStatus.ok;
  });
}

function asJson({ type, kv, prevKv }: StoreEvent, isWithPrevious: boolean): Record<string, unknown> {
  const now = type === 'put' ? pairAsJson(kv) : { ...bytesAs('key', kv.key), modRevision: kv.modRevision };
  return { type, ...now, ...(isWithPrevious && { prevKv: prevKv ? pairAsJson(prevKv) : null }) };
}

function lineFor({ type, kv, prevKv }: StoreEvent): string {
  const cells = [type, String(kv.modRevision), lineOf(kv.key), type === 'put' ? lineOf(kv.value) : ''];
  return [...cells, ...(prevKv ? [lineOf(prevKv.value)] : [])].join('\t').trimEnd();
}
