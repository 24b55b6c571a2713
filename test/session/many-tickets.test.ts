import { describe, expect, it } from 'vitest';

import type { KeyValue } from '../../src/index.js';
import { placeOf } from '../../src/session/line.js';
import { withinLimit } from '../../src/session/rules.js';
import { encodeTicket } from '../../src/session/ticket-value.js';

const holder = { name: 'h', host: 'h', pid: 1, ns: 'conclave' };

/** A line of tickets, two of each revision, that counts how many of them are looked at. */
function longLine(length: number): { readonly tickets: readonly KeyValue[]; looks: () => number } {
  let looks = 0;
  const tickets = Array.from({ length }, (_, i): KeyValue => {
    const createRevision = BigInt(10 + (i >> 1));
    return {
      get key() {
        looks++;
        return Buffer.from(`line/${i}`);
      },
      get value() {
        looks++;
        return Buffer.from(encodeTicket(holder, 0, { weight: 1 }));
      },
      createRevision,
      modRevision: createRevision,
      version: 1n,
      lease: 1n,
    };
  });
  return { tickets, looks: () => looks };
}

describe('in a line of thousands, where each looks at each change, a ticket', () => {
  it('is found without reading the others', () => {
    const { tickets, looks } = longLine(5_000);
    for (const place of [0, 1, 2, 2_501, 4_998, 4_999]) {
      const revision = BigInt(10 + (place >> 1));
      expect(placeOf(tickets, `line/${place}`, revision)).toBe(place);
      expect(placeOf(tickets, 'line/another', revision)).toBe(-1);
    }
    expect(placeOf(tickets, 'line/0', 9n)).toBe(-1);
    expect(placeOf(tickets, 'line/0', 11n)).toBe(-1);
    expect(placeOf(tickets, 'line/4999', 99_999n)).toBe(-1);
    expect(placeOf([], 'line/0', 10n)).toBe(-1);
    expect(looks()).toBeLessThan(50);
  });

  it('is judged by as many permits as there are, not by all that are wanted', () => {
    const { tickets, looks } = longLine(5_000);
    const limit = {
      key: Buffer.from('line/limit'),
      value: Buffer.from('3'),
    } as Partial<KeyValue> as KeyValue;
    const [mine] = longLine(1).tickets;
    expect(withinLimit(tickets, mine!, [limit])).toBe(false);
    expect(withinLimit(tickets.slice(0, 2), mine!, [limit])).toBe(true);
    expect(withinLimit(tickets.slice(0, 3), mine!, [limit])).toBe(false);
    expect(looks()).toBeLessThan(20);
  });
});
