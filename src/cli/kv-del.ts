import { commonHelp } from './arguments.js';
import { exitStatus } from './failure.js';
import { parseKv, parseTarget, rangeHelp, rangeOptions, withStore } from './kv-arguments.js';
import { lineOf, pairAsJson } from './kv-printing.js';
import { printJson } from './printing.js';

const usage = 'conclave kv del KEY [--prefix | --from-key | --end END] [--prev-kv]';

export const delHelp: string = `Deletes a key, or many, at one revision.

Usage: ${usage}

${rangeHelp}
  --prev-kv             prints what was deleted
${commonHelp}

Prints how many were deleted; none is no failure.
`;

/** @returns the exit status */
export async function del(args: readonly string[]): Promise<number> {
  const own = { ...rangeOptions, 'prev-kv': { type: 'boolean' } } as const;
  const request = parseKv(args, { usage, least: 1, most: 1 }, own);
  const target = parseTarget(request, usage);
  const isWithValues = request.own['prev-kv'] === true;
  return withStore(request, async (store) => {
    const { deleted, prevKvs, header } = await store.remove(target, { prevKv: isWithValues });
    if (request.isJson) {
      const before = isWithValues ? { prevKvs: prevKvs.map((kv) => pairAsJson(kv)) } : {};
      printJson({ deleted, revision: header.revision, ...before });
    } else {
      process.stdout.write(`${deleted}\n`);
      for (const { key, value } of prevKvs) process.stdout.write(`${lineOf(key)}\t${lineOf(value)}\n`);
    }
    return exitStatus.ok;
  });
}
