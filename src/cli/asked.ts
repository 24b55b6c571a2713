import type { Hold } from '../index.js';
import { oneLine } from './failure.js';
import { harmless } from './printing.js';

/**
 * Tells people when somebody asks for what is held: who, why, and what happens now. Then does that.
 *
 * @param reaction what is done, in a word or two
 * @returns what ends it
 */
export function whenAsked({ releaseRequested }: Hold, reaction: string, react: () => void): () => void {
  const onAsked = (): void => {
    process.stderr.write(`conclave: ${harmless(oneLine(releaseRequested.reason))}: ${reaction}\n`);
    react();
  };
  if (releaseRequested.aborted) onAsked();
  else releaseRequested.addEventListener('abort', onAsked, { once: true });
  return () => releaseRequested.removeEventListener('abort', onAsked);
}
