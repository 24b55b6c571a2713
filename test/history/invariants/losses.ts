import { textOf } from '../facts.js';
import { describeGrant, type Grant, grantsOf } from '../line.js';
import type { Life } from '../lives.js';
import { type Entry, type Note, notesOf, type Operation, operationsOf, type Violation } from '../record.js';
import type { Bounds } from './waiting.js';

/**
 * I10: who loses what it holds is told (`lost`) within the bound after its ticket went, once, and nobody is told so who has
 * given it back, or never held it. What was had in exchange may be lost before the call that asked for it has returned;
 * what was given for it is not lost.
 */
export function judgeLosses(entries: readonly Entry[], lives: readonly Life[], bounds: Bounds): Violation[] {
  const operations = operationsOf(entries);
  const tickets = new Map(lives.map((life) => [life.key, life]));
  const releases = byKey(
    operations.filter(({ call }) => call === 'release' || call === 'resign'),
    ({ input }) => textOf(input, 'key'),
  );
  const told = byKey(
    notesOf(entries).filter(({ what }) => what === 'lost'),
    ({ facts }) => textOf(facts, 'key'),
  );
  const violations: Violation[] = [];
  const complain = (what: string): void => void violations.push({ rule: 'I10', what });
  const judged = new Set<string>();
  const grants = grantsOf(operations);
  const got = new Set(grants.map(({ client, token }) => `${client} ${token}`));
  for (const grant of grants) {
    if (judged.has(grant.key)) continue; // re-entrant
    judged.add(grant.key);
    const { deletedAt: goneAt, deleteRevision } = tickets.get(grant.key) ?? stands;
    const isExchanged = got.has(`${grant.client} ${deleteRevision}`);
    const story = {
      grant,
      notes: told.get(grant.key) ?? [],
      releases: releases.get(grant.key) ?? [],
      goneAt: isExchanged ? Infinity : goneAt,
    };
    const wrong = wrongIn(story, bounds);
    if (wrong) complain(`${describeGrant(grant)} ${wrong}`);
  }
  const isExchange = ({ client, at }: Note): boolean =>
    operations.some(
      (each) =>
        each.error === 'HOLD_LOST' &&
        each.client === client &&
        each.invokedAt < at &&
        at < each.returnedAt &&
        each.call === 'acquire',
    );
  for (const [key, [note]] of told)
    if (note && !judged.has(key) && !isExchange(note))
      complain(`${note.client} was told that it lost ${key}, which it never held`);
  return violations;
}

const stands = { deletedAt: Infinity, deleteRevision: Infinity };

interface Story {
  readonly grant: Grant;
  readonly notes: readonly Note[];
  readonly releases: readonly Operation[];
  readonly goneAt: number;
}

function wrongIn({ grant, notes, releases, goneAt }: Story, bounds: Bounds): string | undefined {
  const [note] = notes;
  if (notes.length > 1) return `was told ${notes.length} times that it lost it`;
  const given = releases.find(({ outcome }) => outcome === 'ok');
  if (note && given && given.returnedAt < note.at)
    return `was told at ${note.at} that it lost it, and had given it back at ${given.returnedAt}`;
  // Told of the grant when it was gone already: the bound begins then.
  const from = Math.max(goneAt, grant.returnedAt, bounds.healedAt ?? 0);
  const latest = from + bounds.boundMs;
  if ((note?.at ?? Infinity) <= latest || goneAt === Infinity) return undefined;
  if ((bounds.endedAt?.(grant.client) ?? Infinity) <= latest) return undefined;
  // Whoever gives it back is told by the answer.
  if (releases.some(({ invokedAt }) => invokedAt <= latest)) return undefined;
  return `lost it at ${goneAt}, and was ${note ? `told at ${note.at}` : 'not told'}`;
}

function byKey<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
