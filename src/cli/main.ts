#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { barrier, barrierHelp } from './barrier.js';
import { config, configHelp } from './config.js';
import { doctor, doctorHelp } from './doctor.js';
import { elect, electHelp } from './elect.js';
import { exitStatus, Failure, failureOf } from './failure.js';
import { inspect, inspectHelp } from './inspect.js';
import { kv, kvHelp } from './kv.js';
import { lock, lockHelp } from './lock.js';
import { ls, lsHelp } from './ls.js';
import { harmless } from './printing.js';
import { members, membersHelp } from './members.js';
import { queue, queueHelp } from './queue.js';
import { release, releaseHelp } from './release.js';
import { rwlock, rwlockHelp } from './rwlock.js';
import { semaphore, semaphoreHelp } from './semaphore.js';
import { snapshot, snapshotHelp } from './snapshot.js';

interface Command {
  /** Of a command that has commands of its own: that of the one that is named. */
  readonly help: string | ((args: readonly string[]) => string);
  readonly summary: string;
  /** @returns the exit status */
  readonly run: (args: readonly string[]) => Promise<number>;
}

const commands: Readonly<Record<string, Command>> = {
  lock: { run: lock, help: lockHelp, summary: 'run a command while holding a lock, or several' },
  rwlock: {
    run: rwlock,
    help: rwlockHelp,
    summary: 'run a command as a reader among readers, or as the only writer',
  },
  semaphore: {
    run: semaphore,
    help: semaphoreHelp,
    summary: 'run a command while holding permits; change how many there are',
  },
  elect: { run: elect, help: electHelp, summary: 'run a command as the leader; watch who leads' },
  queue: {
    run: queue,
    help: queueHelp,
    summary: 'put jobs, run a command for each, see how they fare',
  },
  barrier: { run: barrier, help: barrierHelp, summary: 'wait for other programs' },
  members: { run: members, help: membersHelp, summary: 'who belongs to a group, and has its shards' },
  kv: { run: kv, help: kvHelp, summary: 'keys and values of etcd as they are' },
  config: { run: config, help: configHelp, summary: 'values that running programs follow' },
  ls: { run: ls, help: lsHelp, summary: 'who holds what, and how many wait' },
  inspect: {
    run: inspect,
    help: inspectHelp,
    summary: 'who holds one of them, and who waits for it, in order',
  },
  snapshot: { run: snapshot, help: snapshotHelp, summary: 'save the database of etcd to a file' },
  doctor: { run: doctor, help: doctorHelp, summary: 'look at etcd with the eyes of this library' },
  release: { run: release, help: releaseHelp, summary: 'ask a holder to give back, or take it away' },
};

const help = `Coordination on etcd from the command line.

Usage: conclave COMMAND [OPTIONS] ...

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(11)}${summary}`)
  .join('\n')}

conclave COMMAND --help   explains one of them
conclave --version
`;

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(help);
    return exitStatus.usage;
  }
  if (name === '--help' || name === '-h' || name === 'help') return print(help);
  if (name === '--version') return print(`${version()}\n`);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new Failure(exitStatus.usage, unknownCommand(name));
  if (!asksForHelp(args)) return command.run(args);
  return print(typeof command.help === 'string' ? command.help : command.help(args));
}

function unknownCommand(name: string): string {
  const known = `see conclave --help`;
  return name.startsWith('-')
    ? `options come after the command, ${JSON.stringify(name)} does not: ${known}`
    : `there is no command ${JSON.stringify(name)}: ${known}`;
}

/** What stands behind `--` belongs to the command that is run. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
}

function version(): string {
  const path = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function print(text: string): number {
  process.stdout.write(text);
  return exitStatus.ok;
}

// What Node tells the developers of gRPC is not for whoever runs a command.
process.noDeprecation = true;

// `conclave ls | head -1`: whoever reads has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

// The process ends by itself once everything is closed: what was printed gets out, and a leak would show.
main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    const { status, message } = failureOf(error);
    process.stderr.write(`conclave: ${harmless(message)}\n`); // names and reasons come from others
    process.exitCode = status;
  },
);
