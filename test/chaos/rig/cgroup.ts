import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { Guard } from './guard.js';
import { isLeftover, ownName } from './leftovers.js';
import type { Undo } from './links.js';

type Controller = 'freezer' | 'cpu';

/** Where groups of processes are made, for one purpose. */
interface Hierarchy {
  readonly version: 1 | 2;
  readonly mount: string;
}

/** A file of a group, and what to write there. */
interface Setting {
  readonly file: string;
  readonly on: string;
  readonly off: string;
}

/** Stops a process where it is, all threads at once; unlike SIGSTOP nobody is told, and SIGCONT changes nothing. */
export async function freeze(pid: number): Promise<Undo> {
  const hierarchy = mustHave('freezer');
  const settings: Record<1 | 2, Setting> = {
    1: { file: 'freezer.state', on: 'FROZEN', off: 'THAWED' },
    2: { file: 'cgroup.freeze', on: '1', off: '0' },
  };
  return confine(pid, hierarchy, [settings[hierarchy.version]], untilFrozen);
}

/** @param percent of one core */
export async function limitCpu(pid: number, percent: number): Promise<Undo> {
  const hierarchy = mustHave('cpu');
  const quotaUs = String(percent * 1_000);
  const settings: Record<1 | 2, Setting[]> = {
    1: [
      { file: 'cpu.cfs_period_us', on: '100000', off: '100000' },
      { file: 'cpu.cfs_quota_us', on: quotaUs, off: '-1' },
    ],
    2: [{ file: 'cpu.max', on: `${quotaUs} 100000`, off: 'max 100000' }],
  };
  return confine(pid, hierarchy, settings[hierarchy.version]);
}

/** Why it is impossible here, or undefined. */
export function cgroupLacks(controller: Controller): string | undefined {
  const hierarchy = hierarchyOf(controller);
  if (hierarchy === undefined) return `needs root of a machine with the cgroup controller ${controller}`;
  try {
    const group = join(hierarchy.mount, ownName());
    makeGroup(hierarchy, group, controller);
    rmdirSync(group);
    return undefined;
  } catch (error) {
    return `needs root that may make cgroups: ${String(error)}`;
  }
}

async function confine(
  pid: number,
  hierarchy: Hierarchy,
  settings: readonly Setting[],
  untilEffective: (group: string, hierarchy: Hierarchy) => Promise<void> = async () => {},
): Promise<Undo> {
  sweep(hierarchy, settings);
  const group = join(hierarchy.mount, ownName());
  const home = homeOf(pid, hierarchy);
  makeGroup(hierarchy, group, settings[0]?.file.startsWith('cpu') ? 'cpu' : 'freezer');
  const guard = new Guard(release, [group, home, ...settings.flatMap(({ file, off }) => [file, off])]);
  const undo = async (): Promise<void> => {
    if (!existsSync(group)) return;
    for (const { file, off } of settings) writeFileSync(join(group, file), off);
    moveAll(group, home);
    await remove(group);
    guard[Symbol.dispose]();
  };
  try {
    for (const { file, on } of settings.filter(({ file }) => file.startsWith('cpu')))
      writeFileSync(join(group, file), on);
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
    for (const { file, on } of settings.filter(({ file }) => !file.startsWith('cpu')))
      writeFileSync(join(group, file), on);
    await untilEffective(group, hierarchy);
    return undo;
  } catch (error) {
    await undo();
    throw error;
  }
}

/** What `undo` does, for when this process is gone; its processes end soon, by guards of their own. */
const release = `
  group=$1; home=$2; shift 2
  while [ $# -gt 0 ]; do echo "$2" > "$group/$1"; shift 2; done
  while read -r pid; do echo "$pid" > "$home/cgroup.procs"; done < "$group/cgroup.procs"
  sleep 1; rmdir "$group"`;

function makeGroup({ version, mount }: Hierarchy, group: string, controller: Controller): void {
  // The freezer of version 2 is always there.
  if (version === 2 && controller === 'cpu')
    writeFileSync(join(mount, 'cgroup.subtree_control'), `+${controller}`);
  mkdirSync(group);
}

async function untilFrozen(group: string, { version }: Hierarchy): Promise<void> {
  const [file, sign] =
    version === 1 ? (['freezer.state', 'FROZEN'] as const) : (['cgroup.events', 'frozen 1'] as const);
  for (let tries = 0; tries < 500; tries++) {
    if (readFileSync(join(group, file), 'utf8').includes(sign)) return;
    await delay(10);
  }
  throw new Error(`the cgroup does not freeze: ${group}`);
}

function moveAll(group: string, home: string): void {
  for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    try {
      writeFileSync(join(home, 'cgroup.procs'), pid);
    } catch {
      // It ends at this moment.
    }
  }
}

/** A process that ends stays in its group for a moment. */
async function remove(group: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      rmdirSync(group);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries === 500) throw error;
      await delay(10);
    }
  }
}

/** What dead runs have left whose guards have died with them. */
function sweep({ mount }: Hierarchy, settings: readonly Setting[]): void {
  for (const name of readdirSync(mount).filter(isLeftover)) {
    const group = join(mount, name);
    try {
      for (const { file, off } of settings) writeFileSync(join(group, file), off);
      moveAll(group, mount);
      rmdirSync(group);
    } catch {
      // Somebody else has; or its last process is about to end, and the next run finds it.
    }
  }
}

function mustHave(controller: Controller): Hierarchy {
  const hierarchy = hierarchyOf(controller);
  if (hierarchy === undefined) throw new Error(`this machine has no cgroup controller ${controller}`);
  return hierarchy;
}

/** A controller is in a hierarchy of version 1, or else in the one of version 2, or nowhere. */
function hierarchyOf(controller: Controller): Hierarchy | undefined {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const one = mounts.find(
    ([, , type, options]) => type === 'cgroup' && options?.split(',').includes(controller),
  );
  if (one?.[1] !== undefined) return { version: 1, mount: one[1] };
  const two = mounts.find(([, , type]) => type === 'cgroup2')?.[1];
  if (two === undefined) return undefined;
  const isThere =
    controller === 'freezer' ||
    readFileSync(join(two, 'cgroup.controllers'), 'utf8').split(/\s/).includes(controller);
  return isThere ? { version: 2, mount: two } : undefined;
}

/** The group in which a process is. */
function homeOf(pid: number, { version, mount }: Hierarchy): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const own = groups
    .map((line) => line.split(':'))
    .find(([id, names]) =>
      version === 2 ? id === '0' : names?.split(',').includes(mount.split('/').at(-1) ?? ''),
    );
  const home = join(mount, own?.[2] ?? '/');
  return existsSync(home) ? home : mount;
}
