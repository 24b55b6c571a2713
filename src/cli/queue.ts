import { commonHelp, wrongUsage } from './arguments.js';
import { exitStatus } from './failure.js';
import { cancel, cancelHelp } from './queue-cancel.js';
import { dead, deadHelp, retry, retryHelp } from './queue-dead.js';
import { push, pushHelp } from './queue-push.js';
import { stat, statHelp } from './queue-stat.js';
import { work, workHelp } from './queue-work.js';

interface QueueCommand {
  readonly help: string;
  readonly summary: string;
  /** @returns the exit status */
  readonly run: (args: readonly string[]) => Promise<number>;
}

const usage = 'conclave queue push|work|stat|dead|retry|cancel NAME ...';

const commands: Readonly<Record<string, QueueCommand>> = {
  push: { run: push, help: pushHelp, summary: 'put a job, or one for each line' },
  work: { run: work, help: workHelp, summary: 'run a command for each job' },
  stat: { run: stat, help: statHelp, summary: 'how many wait, who works on what' },
  dead: { run: dead, help: deadHelp, summary: 'jobs that failed for good: list, retry or drop them' },
  retry: { run: retry, help: retryHelp, summary: 'put one of them back' },
  cancel: { run: cancel, help: cancelHelp, summary: 'take a job back' },
};

const help = `Queues of jobs: each job is worked on by one worker at a time, until one has done it.

Usage: ${usage}

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(11)}${summary}`)
  .join('\n')}

conclave queue COMMAND --help   explains one of them
${commonHelp}
`;

/** Of the command that is named first, or of all. */
export function queueHelp([name = '']: readonly string[]): string {
  return commandOf(name)?.help ?? help;
}

/** @returns the exit status */
export async function queue([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(help);
    return exitStatus.usage;
  }
  const command = commandOf(name);
  if (!command) throw wrongUsage(`there is no command ${JSON.stringify(`queue ${name}`)}`, usage);
  return command.run(args);
}

function commandOf(name: string): QueueCommand | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}
