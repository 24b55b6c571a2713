import { exitStatus, Failure } from './failure.js';

/** All of stdin, every byte of it. Before anything is opened: what waits here ends by a signal. */
export async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The same as text, without a byte order mark. @throws Failure if it is no UTF-8 */
export async function readStdinText(): Promise<string> {
  return decode(await readStdin());
}

/** @throws Failure if it is no UTF-8: characters that are none would be stored in the place of its bytes */
export function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Failure(exitStatus.badData, 'what stands on stdin is no UTF-8', { cause: error });
  }
}
