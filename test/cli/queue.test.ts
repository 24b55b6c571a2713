import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/cli/failure.js';
import { parsePush } from '../../src/cli/queue-push.js';
import { parseWork } from '../../src/cli/queue-work.js';
import { progressBar, StatusLine, type Terminal } from '../../src/cli/status-line.js';

function usageOf(parse: (args: readonly string[]) => unknown, args: readonly string[]): string {
  try {
    parse(args);
  } catch (error) {
    if (error instanceof Failure && error.status === 64) return error.message;
    throw error;
  }
  throw new Error(`understood: ${args.join(' ')}`);
}

describe('queue push', () => {
  it('puts an empty text if no value is given', () => {
    expect(parsePush(['q'])).toMatchObject({ name: 'q', value: '', options: {} });
  });

  it('understands what is to be known of a job', () => {
    const args = ['q', '7', '--as=json', '--id', 'a', '--priority', '9', '--delay', '5m', '--group', 'g'];
    expect(parsePush([...args, '--attempts', '1'])).toMatchObject({
      value: '7',
      isJsonValue: true,
      delayMs: 300_000,
      options: { id: 'a', priority: 9, group: 'g', attempts: 1 },
    });
  });

  it('takes the lines of stdin for "-"', () => {
    expect(parsePush(['q', '-']).value).toBeUndefined();
  });

  it.each([
    [[], 'the name of a queue is missing'],
    [['q', 'a', 'b'], '"b" is too much'],
    [['q', '-', '--id', 'a'], '--id is that of one job'],
    [['q', 'a', '--as', 'xml'], '--as: "xml" is neither'],
    [['q', 'a', '--priority', '10'], '--priority: "10" is not'],
    [['q', 'a', '--delay', '5'], '--delay: 5 has no unit'],
  ])('%j is answered with: %s', (args, text) => {
    expect(usageOf(parsePush, args)).toContain(text);
  });
});

describe('queue work', () => {
  it('runs one command at a time if nothing else is said', () => {
    expect(parseWork(['q', '--', 'make', '-j'])).toMatchObject({
      ...{ name: 'q', concurrency: 1, ttlMs: 15_000, isUntilEmpty: false },
      command: ['make', '-j'],
    });
  });

  it.each([
    [['q'], 'the command stands behind "--"'],
    [['q', 'make'], 'the command stands behind "--"'],
    [['q', '--'], 'nothing to run'],
    [['q', '--concurrency', '0', '--', 'make'], '--concurrency: "0" is not'],
    [['q', '--ttl', '1s', '--', 'make'], '--ttl: 1s is too short'],
    [['--', 'make'], 'the name of a queue is missing'],
  ])('%j is answered with: %s', (args, text) => {
    expect(usageOf(parseWork, args)).toContain(text);
  });
});

describe('a status line', () => {
  function terminal(isTTY: boolean, columns = 80): Terminal & { text: string } {
    return {
      ...{ isTTY, columns, text: '' },
      write(text: string): void {
        this.text += text;
      },
    };
  }

  it('is written over itself, and gone in the end', () => {
    const screen = terminal(true);
    {
      using line = new StatusLine(screen);
      line.show('one');
      line.show('one');
      line.show('two');
    }
    expect(screen.text).toBe('\rone\x1b[K\r\rtwo\x1b[K\r\r\x1b[K');
  });

  it('never fills the last column, where a terminal would begin another line', () => {
    const screen = terminal(true, 10);
    new StatusLine(screen).show('0123456789abc');
    expect(screen.text).toBe('\r012345678\x1b[K\r');
  });

  it('says nothing where no terminal is attached', () => {
    const log = terminal(false);
    {
      using line = new StatusLine(log);
      line.show('one');
    }
    expect(log.text).toBe('');
  });

  it.each([
    [0, 12, '[                        ]   0 %  0 of 12 jobs'],
    [4, 12, '[########                ]  33 %  4 of 12 jobs'],
    [12, 12, '[########################] 100 %  12 of 12 jobs'],
    [0, 0, '[########################] 100 %  0 of 0 jobs'],
    [4, undefined, '4 jobs'],
  ])('shows %d of %s as %s', (done, total, text) => {
    expect(progressBar(done, total, 'jobs')).toBe(text);
  });
});
