import { expect, it } from 'vitest';
import { describeHolder } from '../../src/cli/printing.js';

const ticket = { key: 'k', fencingToken: 1n };

it('a holder is shown by its name, and by its process if that says more', () => {
  const holder = { name: 'h:7', host: 'h', pid: 7, ns: 'n' };
  expect(describeHolder({ ...ticket, holder })).toBe('h:7');
  expect(describeHolder({ ...ticket, holder: { ...holder, name: 'nightly' } })).toBe('nightly (h:7)');
  expect(describeHolder(ticket)).toBe('another program');
});

it("a holder's name cannot write to the terminal of whoever looks", () => {
  const holder = { name: 'x\u001b[2J\u202ey', host: 'h', pid: 7, ns: 'n' };
  expect(describeHolder({ ...ticket, holder })).toBe('x\\u{1b}[2J\\u{202e}y (h:7)');
});
