import { commonHelp, wrongUsage } from './arguments.js';
import { exitStatus } from './failure.js';
import { del, delHelp } from './kv-del.js';
import { get, getHelp } from './kv-get.js';
import { put, putHelp } from './kv-put.js';
import { txn, txnHelp } from './kv-txn.js';
import { watch, watchHelp } from './kv-watch.js';

interface KvCommand {
  readonly help: string;
  readonly summary: string;
  /** @returns the exit status */
  readonly run: (args: readonly string[]) => Promise<number>;
}

const usage = 'conclave kv get|put|del|watch|txn ...';

const commands: Readonly<Record<string, KvCommand>> = {
  get: { run: get, help: getHelp, summary: 'print a key, or many' },
  put: { run: put, help: putHelp, summary: 'put a value' },
  del: { run: del, help: delHelp, summary: 'delete a key, or many' },
  watch: { run: watch, help: watchHelp, summary: 'print each change as it happens' },
  txn: { run: txn, help: txnHelp, summary: 'several of these at once, if conditions hold' },
};

const help = `Keys and values of etcd as they are: a key is the whole key, without --namespace in front of it.

Usage: ${usage}

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(11)}${summary}`)
  .join('\n')}

conclave kv COMMAND --help   explains one of them
${commonHelp}
`;

/** Of the command that is named first, or of all. */
export function kvHelp([name = '']: readonly string[]): string {
  return commandOf(name)?.help ?? help;
}

/** @returns the exit status */
export async function kv([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(help);
    return exitStatus.usage;
  }
  const command = commandOf(name);
  if (!command) throw wrongUsage(`there is no command ${JSON.stringify(`kv ${name}`)}`, usage);
  return command.run(args);
}

function commandOf(name: string): KvCommand | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}
