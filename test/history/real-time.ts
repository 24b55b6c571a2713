/** Something that took some time, and has its place in an order. */
export interface Ranked {
  readonly from: number;
  readonly to: number;
  readonly rank: number;
}

/**
 * Those of which one had ended before the other began, although it does not come before it in the order: for each later one
 * at most one. By a sweep over the beginnings, O(n log n).
 */
export function outOfOrder<Item extends Ranked>(
  items: readonly Item[],
): { readonly earlier: Item; readonly later: Item }[] {
  const byBegin = [...items].sort((a, b) => a.from - b.from);
  const byEnd = [...items].sort((a, b) => a.to - b.to);
  const found: { readonly earlier: Item; readonly later: Item }[] = [];
  let ended = 0;
  let highest: Item | undefined;
  for (const later of byBegin) {
    for (let each = byEnd[ended]; each && each.to < later.from; each = byEnd[++ended])
      if (!highest || each.rank > highest.rank) highest = each;
    if (highest && highest.rank >= later.rank) found.push({ earlier: highest, later });
  }
  return found;
}
