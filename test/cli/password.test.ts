import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { readHidden, type Terminal } from '../../src/cli/password.js';

class FakeTerminal extends PassThrough implements Terminal {
  readonly modes: boolean[] = [];
  shown = '';

  setRawMode(isRaw: boolean): void {
    this.modes.push(isRaw);
  }

  ask(): Promise<string> {
    return readHidden(this, 'Password: ', (text) => (this.shown += text));
  }
}

function type(...chunks: string[]): { terminal: FakeTerminal; answer: Promise<string> } {
  const terminal = new FakeTerminal();
  const answer = terminal.ask();
  for (const chunk of chunks) terminal.write(chunk);
  return { terminal, answer };
}

it('is read up to the return key, and not shown', async () => {
  const { terminal, answer } = type('se', 'cret\rmore');
  expect(await answer).toBe('secret');
  expect(terminal.shown).toBe('Password: \n');
});

it('can be corrected with backspace', async () => {
  expect(await type('ab\u007fc😀\b!\r').answer).toBe('ac!');
});

it('leaves the terminal as it was', async () => {
  const { terminal, answer } = type('x\r');
  await answer;
  expect(terminal.modes).toEqual([true, false]);
  expect(terminal.destroyed).toBe(true);
});

it.each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
])('ends the program on %s, with the terminal as it was', async (_, key) => {
  const { terminal, answer } = type(`x${key}`);
  await expect(answer).rejects.toMatchObject({ status: 130 });
  expect(terminal.modes).toEqual([true, false]);
});
