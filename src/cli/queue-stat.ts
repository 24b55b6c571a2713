import type { Queue, QueueState, RunningJob } from '../index.js';
import { commonHelp } from './arguments.js';
import { exitStatus } from './failure.js';
import { nameHolder, harmless, printJson, printTable } from './printing.js';
import { parseQueue, type QueueArguments, withQueue } from './queue-arguments.js';
import { queueStates, type QueueView, remaining } from './queue-states.js';
import { progressBar, StatusLine } from './status-line.js';

const usage = 'conclave queue stat NAME [--watch]';

export const statHelp: string = `Shows how many jobs of a queue wait, run and have failed for good, and who works on what, since when, how far.

Usage: ${usage}

  --watch               goes on until SIGINT or SIGTERM: a line for each change, and a bar on a terminal
${commonHelp}
`;

/** @returns the exit status: 0 also if nothing is there */
export async function stat(args: readonly string[]): Promise<number> {
  const { request, own } = parseQueue(args, { usage, most: 0 }, { watch: { type: 'boolean' } });
  return withQueue(request, async (queue, interruption) => {
    if (own['watch']) return watch(queue, request, interruption);
    const state = await queue.inspect();
    if (request.isJson) printJson({ name: request.name, ...state });
    else printState(request, state);
    return exitStatus.ok;
  });
}

async function watch(queue: Queue, request: QueueArguments, interruption: AbortSignal): Promise<number> {
  using status = new StatusLine();
  const end = new AbortController();
  const onEnd = (): void => end.abort();
  interruption.addEventListener('abort', onEnd, { once: true });
  process.stdout.once('error', onEnd); // nobody reads
  if (interruption.aborted) onEnd();
  let last = '';
  for await (const view of queueStates(queue, end.signal)) {
    // Other programs' writes are no change.
    const line = request.isJson
      ? JSON.stringify({ ...view.state, revision: 0 })
      : summary(request, view.state);
    if (line !== last) {
      status.clear();
      if (request.isJson) printJson({ name: request.name, ...view.state });
      else process.stdout.write(`${line}\n`);
    }
    last = line;
    status.show(barOf(view));
  }
  return exitStatus.ok;
}

/** Done of all that were there since somebody began to look. */
export function barOf({ state, ended }: QueueView): string {
  const bar = progressBar(ended, ended + remaining(state), 'jobs');
  return `${bar}, ${state.running.length} running${state.dead > 0 ? `, ${state.dead} dead` : ''}`;
}

function summary({ name }: QueueArguments, state: QueueState): string {
  const { ready, delayed, grouped, running, dead, workers, isPaused } = state;
  const counts = [
    `${ready} ready`,
    ...(delayed > 0 ? [`${delayed} delayed`] : []),
    ...(grouped > 0 ? [`${grouped} waiting for their group`] : []),
    `${running.length} running`,
    `${dead} dead`,
  ];
  const idle = workers > 0 ? `; ${workers} ${workers === 1 ? 'worker waits' : 'workers wait'}` : '';
  return `queue ${harmless(name)}${isPaused ? ', paused' : ''}: ${counts.join(', ')}${idle}`;
}

function printState(request: QueueArguments, state: QueueState): void {
  process.stdout.write(`${summary(request, state)}\n`);
  if (state.running.length === 0) return;
  const columns = ['JOB', 'ATTEMPT', 'WORKER', 'SINCE', 'PROGRESS'];
  printTable(columns, state.running.map(cellsOf), ['PROGRESS']);
}

function cellsOf({ id, attempt, holder, since = '', progress, isOrphan }: RunningJob): readonly string[] {
  const who = nameHolder(holder);
  const told = typeof progress === 'string' || progress === undefined ? progress : JSON.stringify(progress);
  return [id, String(attempt), isOrphan ? `${who}, lost` : who, since, told ?? ''];
}
