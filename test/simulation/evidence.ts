import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { rules } from '../history/rules.js';
import type { Check } from './check.js';

/** What was run under one heading. */
export interface Part {
  readonly title: string;
  /** What the figures mean; for people. */
  readonly text: string;
  readonly checks: readonly Check[];
  readonly seconds: number;
}

export interface EvidenceOptions {
  /** Of the checkout, with its final "/". */
  readonly root: string;
  readonly command: string;
  /** All of it, on the wall. */
  readonly seconds: number;
  readonly parts: readonly Part[];
}

const intro = `# Evidence

The figures of the last long run, written by the run itself. What is promised, and which test shows it, is in
[guarantees.md](guarantees.md); how it is tested in [CONTRIBUTING.md](../CONTRIBUTING.md). Times are of a machine that others
used, too: they say what was waited for, not how fast it is.

Not played here: gates, latches, \`lead\`, counters, ids, \`atomically\`, live configuration, groups and their shards, schedules,
queues shared with Go, \`resize\` of a semaphore (these have tests of their own, most of them with faults); versions of etcd
and of Node other than those below (\`npm run test:cluster\` plays etcd 3.5 and 3.6, too).
`;

/** Writes docs/evidence.md. */
export function writeEvidence({ root, command, seconds, parts }: EvidenceOptions): void {
  const run = (program: string, ...args: readonly string[]): string =>
    execFileSync(program, args, { cwd: root, encoding: 'utf8' }).split('\n')[0] ?? '';
  const facts = [
    `- command: \`${command}\`, ${(seconds / 60).toFixed(1)} minutes`,
    `- commit: ${run('git', 'describe', '--always', '--dirty', '--exclude=*')}, ${new Date().toISOString().slice(0, 10)}`,
    `- Node ${process.version}, ${run('etcd', '--version')}, ${cpus().length} cores, Linux ${kernel()}`,
  ];
  const all = parts.flatMap(({ checks }) => checks);
  const count = (state: Check['state']): number => all.filter((check) => check.state === state).length;
  const sum = `**${count('passed')} checks passed, ${count('failed')} failed, ${count('skipped')} skipped.**`;
  const text = [intro, ...facts, '', sum, '', ...parts.flatMap(sectionOf), ...legend].join('\n');
  writeFileSync(`${root}docs/evidence.md`, text);
}

/** Of the words before the colon of a complaint. */
const legend = [
  '## Rules',
  '',
  '| rule | what must be so |',
  '|---|---|',
  ...Object.entries(rules).map(([rule, what]) => `| ${rule} | ${what} |`),
  '',
];

function sectionOf({ title, text, checks, seconds }: Part): string[] {
  const rows = checks.map(({ name, state, figures, reason }) => {
    const cells = [name, state, [figures, reason].filter((part) => part).join('; ')];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  });
  return [
    `## ${title}`,
    '',
    text,
    '',
    '| what | result | figures |',
    '|---|---|---|',
    ...rows,
    '',
    `${Math.round(seconds)} s.`,
    '',
  ];
}

function kernel(): string {
  return readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
}
