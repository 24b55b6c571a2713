import type { Group, GroupChange, Member, ShardState } from '../index.js';
import { commonHelp, parse, parseCount, wrongUsage } from './arguments.js';
import { exitStatus } from './failure.js';
import { open, primitive } from './opening.js';
import { describeHolder, harmless, printJson, printTable } from './printing.js';
import { Signals } from './signals.js';

const usage = 'conclave members NAME [--watch | --shards COUNT]';

export const membersHelp: string = `Shows who belongs to a group: its members, their values, who they are, since when.

Usage: ${usage}

  --watch               goes on until SIGINT or SIGTERM: a line for each who joins (+), changes its value (~) or leaves (-)
  --shards COUNT        shows the group's shards instead: who is to have each, and who does; COUNT is what the programs name
${commonHelp}
`;

/** @returns the exit status: 0 also if nobody is there */
export async function members(args: readonly string[]): Promise<number> {
  const { store, isJson, positionals, own } = parse(args, {
    watch: { type: 'boolean' },
    shards: { type: 'string' },
  });
  const [name, tooMuch] = positionals;
  if (name === undefined) throw wrongUsage('the name of a group is missing', usage);
  if (tooMuch !== undefined) throw wrongUsage(`${JSON.stringify(tooMuch)} is too much`, usage);
  const count = own['shards'] === undefined ? undefined : parseCount(String(own['shards']), '--shards');
  if (own['watch'] && count !== undefined) throw wrongUsage('--watch or --shards, not both', usage);
  const conclave = await open(store);
  try {
    const group = primitive(() => conclave.group(name));
    if (own['watch']) await watch(group, isJson);
    else if (count !== undefined) await showShards(group, count, isJson);
    else await show(group, isJson);
    return exitStatus.ok;
  } finally {
    await conclave.close();
  }
}

async function show(group: Group, isJson: boolean): Promise<void> {
  const roll = await group.members();
  const unreadable = roll.unreadable.map(({ error, ...member }) => ({ ...member, error: error.message }));
  if (isJson) {
    printJson({ ...roll, unreadable });
    return;
  }
  const rows = roll.members.map((member) => [...cellsOf(member)]);
  const others = unreadable.map(({ id, fencingToken, error }) => [
    id,
    `(${error})`,
    '',
    '',
    String(fencingToken),
  ]);
  printTable(['ID', 'VALUE', 'HOLDER', 'SINCE', 'TOKEN'], [...rows, ...others], ['SINCE']);
}

function cellsOf(member: Member): readonly string[] {
  const { id, value, since = '', fencingToken } = member;
  return [id, value, describeHolder(member), since, String(fencingToken)];
}

/** Until a signal comes, or nobody reads. */
async function watch(group: Group, isJson: boolean): Promise<void> {
  const end = new AbortController();
  const signals = new Signals(() => end.abort());
  process.stdout.once('error', () => end.abort());
  try {
    for await (const change of group.watch({ signal: end.signal })) {
      if (isJson) printJson(told(change));
      else process.stdout.write(linesOf(change));
    }
  } catch (error) {
    if (!end.signal.aborted) throw error;
  } finally {
    signals[Symbol.dispose]();
  }
}

function told({ revision, joined, updated, left, members: now }: GroupChange): object {
  return { revision, joined, updated, left, members: now };
}

function linesOf({ joined, updated, left }: GroupChange): string {
  const line = (sign: string, { id, value }: Member): string =>
    `${sign} ${harmless(id)}${value === '' ? '' : `  ${harmless(value)}`}\n`;
  return [
    ...left.map((member) => line('-', member)),
    ...updated.map((member) => line('~', member)),
    ...joined.map((member) => line('+', member)),
  ].join('');
}

async function showShards(group: Group, count: number, isJson: boolean): Promise<void> {
  const { revision, shards } = await primitive(() => group.shards(count)).inspect();
  if (isJson) printJson({ revision, shards });
  else printTable(['SHARD', 'MEMBER', 'OWNER', 'SINCE', 'TOKEN'], shards.map(shardCells), ['SINCE']);
}

function shardCells({ shard, assignedTo = '', owner }: ShardState): readonly string[] {
  if (!owner) return [String(shard), assignedTo, '', '', ''];
  const { since = '', fencingToken } = owner;
  return [String(shard), assignedTo, describeHolder(owner), since, String(fencingToken)];
}
