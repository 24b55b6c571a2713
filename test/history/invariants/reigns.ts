import { numberOf, parseFacts, textOf } from '../facts.js';
import { admissions, ticketsOf } from '../line.js';
import type { Life } from '../lives.js';
import { election } from '../lock-kinds.js';
import type { Note, Violation } from '../record.js';

/** Who led with which value, from one revision on. Without a token: nobody. */
export interface Reign {
  readonly revision: number;
  readonly token: number | undefined;
  readonly value: string;
}

/**
 * The one sequence of leaders and their values.
 *
 * @param line the prefix of the candidates' tickets
 * @param isRaw their values are the candidates' own: an election with a `path`
 */
export function reignsIn(
  lives: readonly Life[],
  line: string,
  { isRaw = false }: { readonly isRaw?: boolean } = {},
): Reign[] {
  const tickets = ticketsOf({ lives, line });
  const reigns: Reign[] = [{ revision: 0, token: undefined, value: '' }];
  const add = (reign: Reign): void => {
    const last = reigns.at(-1);
    // The next one led from the same revision on.
    if (last?.revision === reign.revision) reigns.pop();
    const before = reigns.at(-1);
    if (before?.token !== reign.token || before?.value !== reign.value) reigns.push(reign);
  };
  for (const [{ forms, createRevision: token, deleteRevision }, from] of admissions(election, tickets)) {
    for (const form of forms) {
      if (form.to <= from) continue;
      const value = isRaw ? form.value : textOf(parseFacts(form.value), 'value');
      add({ revision: Math.max(form.from, from), token, value });
    }
    if (deleteRevision < Infinity) add({ revision: deleteRevision, token: undefined, value: '' });
  }
  return reigns;
}

/**
 * I7: what each observer was told, in order, is a part of that one sequence, in its order, nothing twice; and with a revision,
 * what was so then. One stream for each client and, if it has several, each `stream` in the facts.
 *
 * @param notes `leader`, of one election
 * @param isWhole nothing is left out from the first on. Else history may have been compacted under its watch
 */
export function judgeObservers(
  notes: readonly Note[],
  reigns: readonly Reign[],
  { isWhole = false }: { readonly isWhole?: boolean } = {},
): Violation[] {
  const streams = new Map<string, Note[]>();
  for (const note of notes) {
    if (note.what !== 'leader') continue;
    const stream = `${note.client} ${textOf(note.facts, 'stream')}`.trimEnd();
    const told = streams.get(stream);
    if (told) told.push(note);
    else streams.set(stream, [note]);
  }
  return [...streams].flatMap(([stream, told]) => judgeStream(stream, told, reigns, isWhole));
}

function judgeStream(
  stream: string,
  told: readonly Note[],
  reigns: readonly Reign[],
  isWhole: boolean,
): Violation[] {
  let last = -1;
  for (const { facts } of told) {
    const revision = numberOf(facts, 'revision');
    const found = firstFrom(last + 1, reigns, (reign, following) => isSo(reign, following, facts, revision));
    const complain = (what: string): Violation[] => [
      { rule: 'I7', what: `${stream} was told of ${JSON.stringify(facts)}: ${what}` },
    ];
    if (found === undefined) return complain(`not so, or not after ${describe(reigns[last])}`);
    if (isWhole && last >= 0 && found > last + 1)
      return complain(`and not of ${describe(reigns[last + 1])} before it`);
    last = found;
  }
  return [];
}

function firstFrom(
  start: number,
  reigns: readonly Reign[],
  fits: (reign: Reign, following: Reign | undefined) => boolean,
): number | undefined {
  for (let i = start; i < reigns.length; i++) {
    const reign = reigns[i];
    if (reign && fits(reign, reigns[i + 1])) return i;
  }
  return undefined;
}

function isSo(reign: Reign, following: Reign | undefined, facts: Note['facts'], revision: number): boolean {
  const token = numberOf(facts, 'token');
  if (Number.isNaN(token) ? reign.token !== undefined : reign.token !== token) return false;
  if (reign.token !== undefined && reign.value !== textOf(facts, 'value')) return false;
  if (Number.isNaN(revision)) return true;
  return reign.revision <= revision && revision < (following?.revision ?? Infinity);
}

function describe(reign: Reign | undefined): string {
  return reign?.token === undefined ? 'nobody' : `token ${reign.token} ("${reign.value}")`;
}
