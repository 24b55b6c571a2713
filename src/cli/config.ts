import { isConclaveError, type LiveValue, type Place, type SetOptions } from '../index.js';
import { commonHelp, nameOf, parse, parsePlace, type StoreArguments, wrongUsage } from './arguments.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { asUsage, open, primitive } from './opening.js';
import { printJson } from './printing.js';
import { Interrupted, Signals, statusOfSignal } from './signals.js';
import { readStdinText } from './stdin.js';

const usage = 'conclave config get|set|delete|watch (NAME | --path KEY) ...';

export const configHelp: string = `Values of configuration, which running programs follow.

Usage: ${usage}

  get NAME              prints the value, JSON
  set NAME VALUE        stores one; VALUE is JSON, - reads it from stdin
    --if-revision N     only over the value of this revision; 0: only if there is none (default: whatever is there)
  delete NAME           removes it; --if-revision as above
  watch NAME            prints the value and each later one, until SIGINT or SIGTERM; what is no JSON is told on stderr
  --path KEY            a raw key of etcd in the place of NAME; that of a setting is NAMESPACE/config/NAME/SETTING
${commonHelp}, 65 not JSON, 66 nothing is stored,
75 another value is stored than --if-revision names
`;

interface ConfigArguments {
  readonly store: StoreArguments;
  readonly isJson: boolean;
  readonly place: Place;
  /** As given; of "-" what stands on stdin. */
  readonly value: string;
  readonly options: SetOptions;
}

type Command = (value: LiveValue<unknown>, request: ConfigArguments, end: AbortSignal) => Promise<number>;

const commands: Readonly<Record<string, Command>> = { get, set, delete: remove, watch };

/** @returns the exit status */
export async function config([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(configHelp);
    return exitStatus.usage;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw wrongUsage(`there is no command ${JSON.stringify(`config ${name}`)}`, usage);
  const parsed = parseConfig(name, args);
  const isOnStdin = name === 'set' && parsed.value === '-';
  const request = isOnStdin ? { ...parsed, value: await readStdinText() } : parsed;
  const conclave = await open(request.store);
  const end = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => end.abort(new Interrupted(signal));
  using signals = new Signals(interrupt);
  process.stdout.once('error', () => end.abort(new Interrupted('SIGTERM'))); // nobody reads
  try {
    return await command(
      primitive(() => conclave.config(request.place)),
      request,
      end.signal,
    );
  } catch (error) {
    // To watch until somebody has had enough is what was asked for.
    if (error instanceof Interrupted)
      return name === 'watch' ? exitStatus.ok : statusOfSignal(error.signalName);
    throw asUsage(error);
  } finally {
    signals.handTo((signal) => process.exit(statusOfSignal(signal)));
    await conclave.close();
  }
}

/** @throws Failure for what cannot be understood */
export function parseConfig(command: string, args: readonly string[]): ConfigArguments {
  const text = { type: 'string' } as const;
  const writes = command === 'set' || command === 'delete';
  const { store, isJson, positionals, own } = parse(args, {
    path: text,
    ...(writes && { 'if-revision': text }),
  });
  const isSet = command === 'set';
  const value = isSet ? positionals.at(-1) : '';
  const names = isSet ? positionals.slice(0, -1) : positionals;
  const place = parsePlace({ positionals: names, own }, usage);
  if (value === undefined) throw wrongUsage('a value is missing', usage);
  const revision = own['if-revision'];
  const options = revision === undefined ? { force: true } : { ifRevision: parseRevision(String(revision)) };
  return { store, isJson, place, value, options };
}

function parseRevision(text: string): bigint {
  if (/^\d{1,19}$/.test(text)) return BigInt(text);
  throw new Failure(exitStatus.usage, `--if-revision: ${JSON.stringify(text)} is no revision`);
}

async function get(
  value: LiveValue<unknown>,
  request: ConfigArguments,
  signal: AbortSignal,
): Promise<number> {
  try {
    await value.ready({ signal });
  } catch (error) {
    throw explained(error, request);
  }
  if (request.isJson) printJson({ value: value.current, revision: value.revision });
  else printValue(value.current);
  return exitStatus.ok;
}

async function set(value: LiveValue<unknown>, request: ConfigArguments): Promise<number> {
  const revision = await value.set(parseJson(request.value), request.options).catch((error: unknown) => {
    throw explained(error, request);
  });
  if (request.isJson) printJson({ revision });
  return exitStatus.ok;
}

async function remove(value: LiveValue<unknown>, request: ConfigArguments): Promise<number> {
  await value.clear(request.options).catch((error: unknown) => {
    throw explained(error, request);
  });
  return exitStatus.ok;
}

async function watch(
  value: LiveValue<unknown>,
  request: ConfigArguments,
  signal: AbortSignal,
): Promise<number> {
  const complaining = (async () => {
    for await (const problem of value.errors({ signal }))
      process.stderr.write(`conclave: ${oneLine(problem)}\n`);
  })();
  complaining.catch(() => {}); // what ends it ends the other, too
  for await (const each of value.changes({ signal }))
    if (request.isJson) printJson({ value: each });
    else printValue(each);
  return exitStatus.ok;
}

/** JSON, in which nothing speaks to the terminal. */
function printValue(value: unknown): void {
  const text = JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => {
      return `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
    }).join(''),
  );
  process.stdout.write(`${text}\n`);
}

/** @throws Failure */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Failure(exitStatus.badData, `the value is no JSON: ${oneLine(error)}`, { cause: error });
  }
}

function explained(error: unknown, { place }: ConfigArguments): unknown {
  const cause = { cause: error };
  const what = JSON.stringify(nameOf(place));
  if (isConclaveError(error, 'NOT_FOUND'))
    return new Failure(exitStatus.missing, `nothing is stored as ${what}`, cause);
  if (isConclaveError(error, 'INVALID_VALUE')) return new Failure(exitStatus.badData, oneLine(error), cause);
  if (isConclaveError(error, 'CONFLICT')) return new Failure(exitStatus.notAcquired, oneLine(error), cause);
  return error;
}
