import { readdirSync } from 'node:fs';
import type { Desk, Workload } from '../workload/workload.js';

/** What a workload may have on a real cluster besides. */
export interface RealDesk extends Desk {
  /** A point of the workload itself, to aim at. */
  probe(name: string): void;
}

const folders = ['../workload', './loads'];

/** The workload of this name: in a file of that name, or of what follows its first hyphen. @throws RangeError if there is none */
export async function workloadNamed(name: string): Promise<Workload> {
  for (const folder of folders) {
    const found = await find(folder, name);
    if (found) return found;
  }
  throw new RangeError(`there is no workload '${name}'; there are ${(await names()).join(', ')}`);
}

async function find(folder: string, name: string): Promise<Workload | undefined> {
  for (const file of [name, name.slice(name.indexOf('-') + 1)]) {
    const workloads = Object.values(await modulesOf(`${folder}/${file}.js`)).filter(isWorkload);
    const found = workloads.find((each) => each.name === name);
    if (found) return found;
  }
  return undefined;
}

async function names(): Promise<readonly string[]> {
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(folder, import.meta.url))
      .filter((file) => file.endsWith('.js'))
      .map((file) => `${folder}/${file}`),
  );
  const modules = await Promise.all(files.map(modulesOf));
  return modules.flatMap((each) => Object.values(each).filter(isWorkload)).map(({ name }) => name);
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
