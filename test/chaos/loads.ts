import type { Desk, Workload } from '../workload/workload.js';

/** What a workload may have on a real cluster besides. */
export interface RealDesk extends Desk {
  /** A point of the workload itself, to aim at. */
  probe(name: string): void;
}

const folders = ['../workload', './loads'];

/** The workload of this name: `name` is that of its file, or of its export. @throws RangeError if there is none */
export async function workloadNamed(name: string): Promise<Workload> {
  for (const folder of folders) {
    const found = Object.values(await modulesOf(`${folder}/${name}.js`)).find(isWorkload);
    if (found) return found;
  }
  throw new RangeError(`there is no workload '${name}'`);
}

async function modulesOf(path: string): Promise<object> {
  try {
    return (await import(path)) as object;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return {};
    throw error;
  }
}

function isWorkload(value: unknown): value is Workload {
  return typeof value === 'object' && value !== null && 'turn' in value && 'judge' in value;
}
