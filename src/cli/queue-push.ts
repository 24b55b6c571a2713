import { isConclaveError, type Queue } from '../index.js';
import { commonHelp, parseCount, wrongUsage } from './arguments.js';
import { parseDuration } from './duration.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { harmless, printJson } from './printing.js';
import { parseQueue, type QueueArguments, withQueue } from './queue-arguments.js';
import { progressBar, StatusLine } from './status-line.js';

const usage =
  'conclave queue push NAME [VALUE | -] [--as text|json] [--id ID] [--priority N] [--delay 5m] [--group G]';

export const pushHelp: string = `Puts a job into a queue. When this ends with 0 it is there for good.

Usage: ${usage}

  VALUE                 what the worker gets (default: an empty text)
  -                     a job for each line of stdin that is not empty, in this order; prints how many, with --json the id
                        of each
  --as text|json        what VALUE or a line is (default text: a string as it stands)
  --id ID               put only once, however often this is called, until an hour after its end
  --priority N          0 to 9; higher ones are taken first (default 0)
  --delay DURATION      not before that time has passed, by the clock of this machine
  --group G             jobs of a group are worked on one at a time
  --attempts N          how often it may fail (default 3)
${commonHelp}

A duration has a unit: 500ms, 15s, 2m, 1h.

Prints the id. A job of that id that is there already, or was not long ago, is no failure: the status is 0, and stderr
tells. If "-" fails, stderr tells how many are surely there.
`;

export interface PushArguments extends QueueArguments {
  /** undefined: the lines of stdin. */
  readonly value: string | undefined;
  readonly isJsonValue: boolean;
  readonly delayMs: number;
  readonly options: {
    readonly id?: string;
    readonly priority?: number;
    readonly group?: string;
    readonly attempts?: number;
  };
}

/** @throws Failure for what cannot be understood */
export function parsePush(args: readonly string[]): PushArguments {
  const text = { type: 'string' } as const;
  const { request, operands, own } = parseQueue(
    args,
    { usage, most: 1 },
    { as: text, id: text, priority: text, delay: text, group: text, attempts: text },
  );
  const { as = 'text', id, priority, delay, group, attempts } = own;
  const [value = ''] = operands;
  if (as !== 'text' && as !== 'json') throw wrongUsage(`--as: ${JSON.stringify(as)} is neither`, usage);
  if (value === '-' && id !== undefined) throw wrongUsage('--id is that of one job, and "-" is many', usage);
  return {
    ...request,
    value: value === '-' ? undefined : value,
    isJsonValue: as === 'json',
    delayMs: delay === undefined ? 0 : parseDuration(String(delay), '--delay'),
    options: {
      ...(id !== undefined && { id: String(id) }),
      ...(priority !== undefined && { priority: parsePriority(String(priority)) }),
      ...(group !== undefined && { group: String(group) }),
      ...(attempts !== undefined && { attempts: parseCount(String(attempts), '--attempts') }),
    },
  };
}

function parsePriority(text: string): number {
  if (/^\d$/.test(text)) return Number(text);
  throw new Failure(
    exitStatus.usage,
    `--priority: ${JSON.stringify(text)} is not a whole number from 0 to 9`,
  );
}

/** @returns the exit status */
export async function push(args: readonly string[]): Promise<number> {
  const request = parsePush(args);
  return withQueue(request, (queue, interruption) =>
    request.value === undefined
      ? pushLines(queue, request, interruption)
      : pushOne(queue, request, valueOf(request.value, request, 'VALUE')),
  );
}

async function pushOne(queue: Queue, request: PushArguments, value: unknown): Promise<number> {
  const enqueued = await queue.enqueue(value, optionsOf(request));
  print(enqueued, request);
  if (!enqueued.created) process.stderr.write(`conclave: it is there already, or was not long ago\n`);
  return exitStatus.ok;
}

/** As they come: what has been read goes into the queue, also while nothing more comes. */
async function pushLines(queue: Queue, request: PushArguments, interruption: AbortSignal): Promise<number> {
  using status = new StatusLine();
  let count = 0;
  let read = 0;
  const put = async (lines: readonly string[]): Promise<void> => {
    const first = read + 1;
    read += lines.length;
    const jobs = lines.flatMap((line, i) =>
      line.trim() === ''
        ? []
        : [{ value: valueOf(line, request, `line ${first + i}`), ...optionsOf(request) }],
    );
    // By as many as one transaction can carry: then what is told of a failure is exact.
    for (let from = 0; from < jobs.length; from += perTransaction) {
      const enqueued = await queue.enqueueAll(jobs.slice(from, from + perTransaction));
      count += enqueued.length;
      if (request.isJson) for (const each of enqueued) print(each, request);
      status.show(progressBar(count, undefined, 'jobs put'));
    }
  };
  const onAbort = (): void => void process.stdin.destroy(interruption.reason as Error);
  interruption.addEventListener('abort', onAbort, { once: true });
  try {
    interruption.throwIfAborted();
    let rest = '';
    for await (const chunk of process.stdin.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split(/\r?\n/);
      rest = lines.pop() ?? '';
      await put(lines);
      interruption.throwIfAborted();
    }
    await put([rest]);
  } catch (error) {
    const isUsage = !isConclaveError(error);
    status.clear();
    process.stderr.write(`conclave: ${count} ${isUsage ? '' : 'surely '}put before it ended\n`);
    throw error;
  } finally {
    interruption.removeEventListener('abort', onAbort);
  }
  status.clear();
  if (!request.isJson) process.stdout.write(`${count} put\n`);
  return exitStatus.ok;
}

const perTransaction = 40;

function optionsOf({ options, delayMs }: PushArguments): Parameters<Queue['enqueue']>[1] {
  return delayMs === 0 ? options : { ...options, delayMs };
}

/** @throws Failure if it should be JSON and is not */
function valueOf(text: string, { isJsonValue }: PushArguments, what: string): unknown {
  if (!isJsonValue) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Failure(exitStatus.usage, `${what} is no JSON: ${oneLine(error)}`, { cause: error });
  }
}

function print(
  enqueued: { readonly id: string; readonly created: boolean },
  { isJson }: PushArguments,
): void {
  if (isJson) printJson(enqueued);
  else process.stdout.write(`${harmless(enqueued.id)}\n`);
}
