import type { Queue } from '../index.js';
import { commonHelp, wrongUsage } from './arguments.js';
import { exitStatus, oneLine } from './failure.js';
import { printJson, printTable } from './printing.js';
import { missing, parseQueue, type QueueArguments, withQueue } from './queue-arguments.js';

const usage = 'conclave queue dead NAME [--retry ID | --all | --drop ID]';
const retryUsage = 'conclave queue retry NAME ID';

const statuses = '66 no such dead letter.';

export const deadHelp: string = `Lists the jobs of a queue that failed for good, why, and when; puts them back, or deletes one.

Usage: ${usage}

  --retry ID            puts it back, with all its attempts before it
  --all                 puts all of them back; prints how many
  --drop ID             deletes it
${commonHelp},
${statuses}

With --json an object per line, and the value with it.
`;

export const retryHelp: string = `Puts a job back that failed for good, with all its attempts before it.

Usage: ${retryUsage}
${commonHelp},
${statuses}
`;

type Action =
  { readonly kind: 'list' | 'retryAll' } | { readonly kind: 'retry' | 'drop'; readonly id: string };

/** @returns the exit status */
export async function dead(args: readonly string[]): Promise<number> {
  const { request, own } = parseQueue(
    args,
    { usage, most: 0 },
    { retry: { type: 'string' }, all: { type: 'boolean' }, drop: { type: 'string' } },
  );
  const { retry: retried, all, drop } = own;
  const actions: readonly Action[] = [
    ...(retried === undefined ? [] : [{ kind: 'retry', id: String(retried) } as const]),
    ...(all ? [{ kind: 'retryAll' } as const] : []),
    ...(drop === undefined ? [] : [{ kind: 'drop', id: String(drop) } as const]),
  ];
  if (actions.length > 1) throw wrongUsage('one of --retry, --all and --drop', usage);
  return act(request, actions[0] ?? { kind: 'list' });
}

/** @returns the exit status */
export async function retry(args: readonly string[]): Promise<number> {
  const { request, operands } = parseQueue(args, { usage: retryUsage, most: 1 });
  const [id] = operands;
  if (id === undefined) throw wrongUsage('the id of a job is missing', retryUsage);
  return act(request, { kind: 'retry', id });
}

function act(request: QueueArguments, action: Action): Promise<number> {
  const { isJson } = request;
  return withQueue(request, async (queue) => {
    switch (action.kind) {
      case 'list':
        await list(queue, isJson);
        break;
      case 'retryAll': {
        const count = await queue.deadLetters.retryAll();
        if (isJson) printJson({ retried: count });
        else process.stdout.write(`${count} put back\n`);
        break;
      }
      case 'retry':
      case 'drop': {
        const { kind, id } = action;
        if (!(await queue.deadLetters[kind](id))) throw missing('dead letter', request, id);
        const done = kind === 'retry' ? 'put back' : 'dropped';
        if (isJson) printJson({ id, did: kind });
        else process.stdout.write(`${done}\n`);
      }
    }
    return exitStatus.ok;
  });
}

async function list({ deadLetters }: Queue, isJson: boolean): Promise<void> {
  const rows: (readonly string[])[] = [];
  for await (const letter of deadLetters.list()) {
    if (isJson) {
      printJson(letter);
      continue;
    }
    const { id, reason, attempts, diedAt, error } = letter;
    rows.push([id, reason, String(attempts), diedAt.toISOString(), oneLine(error ?? '')]);
  }
  if (!isJson) printTable(['ID', 'REASON', 'ATTEMPTS', 'SINCE', 'ERROR'], rows);
}
