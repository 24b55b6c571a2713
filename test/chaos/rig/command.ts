import { spawn } from 'node:child_process';

const limitMs = 15_000;

/** Runs a program with this input to its end. Resolves with its output; rejects with its errors. */
export async function command(words: readonly string[], input = ''): Promise<string> {
  const [program = '', ...args] = words;
  const child = spawn(program, args, { stdio: 'pipe', timeout: limitMs, killSignal: 'SIGKILL' });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.on('error', () => {}); // it did not want all of it: its exit status tells
  child.stdin.end(input);
  const code = await new Promise<unknown>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  if (code !== 0) throw new Error(`${words.join(' ')}: ${String(code)}\n${errors}`);
  return output;
}
