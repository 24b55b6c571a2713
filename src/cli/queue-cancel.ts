import { commonHelp, wrongUsage } from './arguments.js';
import { exitStatus } from './failure.js';
import { printJson } from './printing.js';
import { missing, parseQueue, withQueue } from './queue-arguments.js';

const usage = 'conclave queue cancel NAME ID';

export const cancelHelp: string = `Takes back a job that has not ended.

Usage: ${usage}

One that waits is never begun. One that runs is told to stop (under conclave queue work its command gets SIGTERM), and is
not tried again unless it is done all the same.
${commonHelp},
66 no such job, or it has ended.
`;

/** @returns the exit status */
export async function cancel(args: readonly string[]): Promise<number> {
  const { request, operands } = parseQueue(args, { usage, most: 1 });
  const [id] = operands;
  if (id === undefined) throw wrongUsage('the id of a job is missing', usage);
  return withQueue(request, async (queue) => {
    const was = await queue.cancel(id);
    if (!was) throw missing('job', request, id);
    if (request.isJson) printJson({ id, was });
    else process.stdout.write(was === 'waiting' ? 'cancelled\n' : 'told to stop\n');
    return exitStatus.ok;
  });
}
