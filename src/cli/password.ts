import { openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { exitStatus, Failure } from './failure.js';

/** What a terminal can do that matters here. */
export interface Terminal extends NodeJS.ReadableStream {
  setRawMode(isRaw: boolean): unknown;
  destroy(): unknown;
}

/**
 * Asks without showing what is typed. On the controlling terminal, not on stdin, which belongs to the command that will be
 * run and may be a pipe.
 *
 * @throws Failure if nobody is there to be asked
 */
export async function askPassword(question: string): Promise<string> {
  const terminal = process.stderr.isTTY ? openTerminal() : undefined;
  if (!terminal) {
    throw new Failure(
      exitStatus.usage,
      'there is no terminal to ask for the password on: set CONCLAVE_PASSWORD or use --password-file',
    );
  }
  return readHidden(terminal, question, (text) => process.stderr.write(text));
}

function openTerminal(): Terminal | undefined {
  try {
    return new ReadStream(openSync('/dev/tty', 'r'));
  } catch {
    return undefined;
  }
}

/** Reads a line in raw mode, and gives the terminal back in any case. @throws Failure on Ctrl-C or Ctrl-D */
export async function readHidden(
  terminal: Terminal,
  question: string,
  write: (text: string) => void,
): Promise<string> {
  write(question);
  terminal.setRawMode(true);
  const typed = new TypedLine();
  try {
    for await (const chunk of terminal) if (typed.add(String(chunk))) return typed.text;
    throw cancelled();
  } finally {
    terminal.setRawMode(false);
    terminal.destroy();
    write('\n');
  }
}

/** In raw mode nobody but us understands backspace. */
class TypedLine {
  text = '';

  /** @returns whether the line is complete */
  add(chunk: string): boolean {
    for (const character of chunk) {
      if (character === '\r' || character === '\n') return true;
      if (character === '\u0003' || character === '\u0004') throw cancelled();
      if (character === '\u007f' || character === '\b') this.text = this.text.replace(/.$/su, '');
      else this.text += character;
    }
    return false;
  }
}

function cancelled(): Failure {
  return new Failure(exitStatus.signalled + 2, 'cancelled');
}
