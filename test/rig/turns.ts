import type { Mark } from './crowd.js';
import { type Form, formAt, type Life, type Span } from './history.js';

/** Every line is judged as that of a semaphore: what a ticket weighs, and how much may be taken at a time. */
export interface Measure {
  readonly limit: number;
  readonly weigh: (form: Form) => number;
}

/** What was said of a ticket that did not stand at that revision. */
export function strangers(lives: readonly Life[], marks: readonly Mark[]): Mark[] {
  return marks.filter((mark) => !formOf(lives, mark));
}

/** From the revision at which somebody said that it held, until its ticket went, or was rewritten to weigh something else. */
export function spansOf(lives: readonly Life[], marks: readonly Mark[], { weigh }: Measure): Span[] {
  return marks.flatMap((mark) => {
    const life = lifeOf(lives, mark);
    const form = life && formAt(life, mark.revision);
    if (!form) return [];
    const weight = weigh(form);
    const next = life.forms.find((each) => each.from > form.from && weigh(each) !== weight);
    return [{ weight, from: mark.revision, to: next?.from ?? life.to }];
  });
}

/** The ticket that somebody spoke of, as it was at that revision. */
export function formOf(lives: readonly Life[], mark: Mark): Form | undefined {
  const life = lifeOf(lives, mark);
  return life && formAt(life, mark.revision);
}

function lifeOf(lives: readonly Life[], { key, token }: Mark): Life | undefined {
  return lives.find((life) => life.createRevision === token && life.key === key);
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
