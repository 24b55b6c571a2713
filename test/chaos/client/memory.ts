import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Gives back all memory that nothing refers to. */
export function collectGarbage(): void {
  gc();
  gc(); // what the finalizers of the first one have let go
}
