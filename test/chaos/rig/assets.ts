import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of `package.json`: also when this file has been compiled to a folder below it. */
function projectRoot(folder = import.meta.dirname): string {
  return existsSync(join(folder, 'package.json')) ? folder : projectRoot(dirname(folder));
}

/** The path of a program of this folder that is not TypeScript, and so is not copied when the tests are compiled. */
export function asset(name: string): string {
  return join(projectRoot(), 'test/chaos/rig', name);
}
