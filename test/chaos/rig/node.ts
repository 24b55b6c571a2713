/** A place in a network: a member or a client, by index, or where the run itself looks from. */
export type Node = `m${number}` | `c${number}` | 'observer';

export const member = (index: number): Node => `m${index}`;
export const client = (index: number): Node => `c${index}`;

/** What one node sends to another. */
export interface Link {
  readonly from: Node;
  readonly to: Node;
}

/** Every link from one side to the other. */
export function from(side: readonly Node[], other: readonly Node[]): Link[] {
  return side.flatMap((from) => other.filter((to) => to !== from).map((to) => ({ from, to })));
}

/** Every link between two sides, both ways. */
export function between(side: readonly Node[], other: readonly Node[]): Link[] {
  return [...from(side, other), ...from(other, side)];
}
