import type { Mark } from '../rig/crowd.js';
import { type Form, formAt, type Life, type Span } from '../rig/history.js';

/** Every line is judged as that of a semaphore: what a ticket weighs, and how much may be taken at a time. */
export interface Measure {
  readonly limit: number;
  readonly weigh: (form: Form) => number;
}

/** What was said of a ticket that did not stand at that revision. */
export function strangers(lives: readonly Life[], marks: readonly Mark[]): Mark[] {
  return marks.filter((mark) => !formOf(lives, mark));
}

/** From the revision at which somebody said that it held, until its ticket went or was rewritten. */
export function spansOf(lives: readonly Life[], marks: readonly Mark[], { weigh }: Measure): Span[] {
  return marks.flatMap((mark) => {
    const form = formOf(lives, mark);
    return form ? [{ weight: weigh(form), from: mark.revision, to: form.to }] : [];
  });
}

/** The ticket that somebody spoke of, as it was at that revision. */
export function formOf(lives: readonly Life[], { key, token, revision }: Mark): Form | undefined {
  const life = lives.find((each) => each.createRevision === token && each.key === key);
  return life && formAt(life, revision);
}

/** Who said that it held when those before it in line left no room for it. */
export function outOfTurn(
  lives: readonly Life[],
  marks: readonly Mark[],
  { weigh, limit }: Measure,
): { readonly mark: Mark; readonly taken: number }[] {
  return marks
    .map((mark) => ({ mark, taken: takenUpTo(mark, lives, weigh) }))
    .filter(({ taken }) => taken > limit);
}

/** What the tickets of a line weigh together, up to this one. */
function takenUpTo({ token, revision }: Mark, lives: readonly Life[], weigh: Measure['weigh']): number {
  return lives
    .filter(({ createRevision, to }) => createRevision <= token && to > revision)
    .map((life) => weigh(formAt(life, revision)!))
    .reduce((sum, weight) => sum + weight, 0);
}
