import { type Conclave, isConclaveError, UnavailableError } from '../index.js';
import { commonHelp, parse, wrongUsage } from './arguments.js';
import { type Asked, checkMembers, judgeEndpoints, judgeSpace } from './doctor-cluster.js';
import { type Finding, note, type Patient, problem, type Verdict } from './doctor-finding.js';
import { aboutClocks, checkDelays, checkHistory, checkPermissions, checkTtl } from './doctor-store.js';
import { judgeVersions } from './doctor-versions.js';
import { parseDuration } from './duration.js';
import { exitStatus, oneLine } from './failure.js';
import { open } from './opening.js';
import { harmless, printJson } from './printing.js';

const usage = 'conclave doctor [--ttl DURATION] [OPTIONS]';

export const doctorHelp: string = `Looks at an etcd with the eyes of this library, and says what could hurt.

Usage: ${usage}

  --ttl DURATION        TTL of the sessions of your programs, sessionTtlMs (default 15s)
${commonHelp}.
1 if it found a problem; warnings and notes leave it at 0.

Prints a line for each check: ok, note, warning or problem, what it means, and what to do. Looks at the versions, the
members, the space, the permissions of this user, the delays from here, the TTL and the history. For that it writes a
key NAMESPACE/doctor/probe-PID under a lease, and removes it.
`;

/** How long a member has to say how it is. */
const statusMs = 3_000;

type Check = (patient: Patient) => readonly Finding[] | Promise<readonly Finding[]>;

const checks: Readonly<Record<string, Check>> = {
  versions: ({ seen, hasLogin }) => judgeVersions(seen, hasLogin),
  members: checkMembers,
  space: ({ seen }) => judgeSpace(seen),
  permissions: checkPermissions,
  delays: checkDelays,
  ttl: checkTtl,
  history: checkHistory,
  clocks: () => [aboutClocks()],
};

/** @returns the exit status */
export async function doctor(args: readonly string[]): Promise<number> {
  const { store, isJson, positionals, own } = parse(args, { ttl: { type: 'string' } });
  if (positionals.length > 0) throw wrongUsage('doctor takes no name', usage);
  const sessionTtlMs = own['ttl'] === undefined ? 15_000 : parseDuration(String(own['ttl']), '--ttl');
  const conclave = await open(store);
  try {
    const verdicts = new Set<Verdict>();
    const tell = (findings: readonly Finding[]): void => {
      for (const finding of findings) {
        verdicts.add(finding.verdict);
        print(finding, isJson);
      }
    };
    const asked = await Promise.all(conclave.store.endpoints.map((endpoint) => ask(conclave, endpoint)));
    const seen = asked.flatMap((each) => ('status' in each ? [each] : []));
    if (seen.length === 0) throw reasonOf(asked);
    tell(judgeEndpoints(asked));
    const patient = { conclave, seen, hasLogin: store.username !== undefined, sessionTtlMs };
    for (const [name, check] of Object.entries(checks)) tell(await examine(name, check, patient));
    return verdicts.has('problem') ? exitStatus.ill : exitStatus.ok;
  } finally {
    await conclave.close();
  }
}

async function ask({ store }: Conclave, endpoint: string): Promise<Asked> {
  try {
    return { endpoint, status: await store.maintenance.status({ endpoint, timeoutMs: statusMs }) };
  } catch (error) {
    return { endpoint, error };
  }
}

/** Nobody has answered: the first reason will do. */
function reasonOf(asked: readonly Asked[]): unknown {
  const [first] = asked;
  return first && 'error' in first ? first.error : new UnavailableError('no endpoint was named');
}

/** One check that cannot be carried out does not keep the others from it. */
async function examine(name: string, check: Check, patient: Patient): Promise<readonly Finding[]> {
  try {
    return await check(patient);
  } catch (error) {
    if (isConclaveError(error, 'AUTH')) return [note(name, `not looked at: ${oneLine(error)}`)];
    if (!isConclaveError(error)) throw error;
    return [problem(name, `could not be looked at: ${oneLine(error)}`, 'see the other findings')];
  }
}

function print(finding: Finding, isJson: boolean): void {
  if (isJson) return printJson(finding);
  const { verdict, check, text, advice } = finding;
  const line = `${verdict.padEnd(9)}${check.padEnd(13)}${text}${advice === undefined ? '' : `: ${advice}`}`;
  process.stdout.write(`${harmless(line)}\n`);
}
