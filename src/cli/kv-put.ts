import { commonHelp, wrongUsage } from './arguments.js';
import { parseDuration } from './duration.js';
import { exitStatus } from './failure.js';
import { numberOption, parseKv, withStore } from './kv-arguments.js';
import { lineOf, pairAsJson } from './kv-printing.js';
import { printJson } from './printing.js';
import { readStdin } from './stdin.js';

const usage = 'conclave kv put KEY VALUE|- [--lease ID | --ttl 10s] [--prev-kv]';

export const putHelp: string = `Puts a value at a key.

Usage: ${usage}

  -                     the value is what is read from stdin, every byte of it
  --lease ID            the key goes with this lease; 0x before an ID as etcdctl shows it
  --ttl DURATION        the key goes after that time: under a new lease, which nobody renews; whole seconds
  --prev-kv             prints what stood there before
${commonHelp},
66 there is no such lease.

Prints the revision.
`;

/** @returns the exit status */
export async function put(args: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const own = { lease: text, ttl: text, 'prev-kv': { type: 'boolean' } } as const;
  const request = parseKv(args, { usage, least: 2, most: 2 }, own);
  const { lease: leaseText, ttl, 'prev-kv': prevKv = false } = request.own;
  if (leaseText !== undefined && ttl !== undefined)
    throw wrongUsage('--lease and --ttl exclude each other', usage);
  const [key = '', operand = ''] = request.operands;
  if (key === '') throw wrongUsage('the key is empty', usage);
  const ttlSeconds = ttl === undefined ? undefined : secondsOf(String(ttl));
  const given = numberOption(request, 'lease');
  const value = operand === '-' ? await readStdin() : operand;
  return withStore(request, async (store) => {
    const lease = ttlSeconds === undefined ? given : (await store.lease.grant({ ttlSeconds })).id;
    const { header, prevKv: before } = await store.put(key, value, { lease, prevKv: prevKv === true });
    const { revision } = header;
    if (request.isJson) {
      const prev = prevKv ? { prevKv: before ? pairAsJson(before) : null } : {};
      printJson({ revision, ...(lease !== 0n && { lease }), ...prev });
    } else {
      process.stdout.write(`${revision}\n`);
      if (before) process.stdout.write(`${lineOf(before.key)}\t${lineOf(before.value)}\n`);
    }
    return exitStatus.ok;
  });
}

function secondsOf(text: string): number {
  const ms = parseDuration(text, '--ttl');
  if (ms > 0 && ms % 1_000 === 0) return ms / 1_000;
  throw wrongUsage(`--ttl: ${text} is not a whole number of seconds, 1 or more`, usage);
}
