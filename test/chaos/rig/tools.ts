import { spawnSync } from 'node:child_process';

import { cgroupLacks } from './cgroup.js';
import { MemberClocks } from './member-clock.js';

/** What the machine has to allow. */
export type Tool = 'netns' | 'strace' | 'freezer' | 'cpu quota' | 'gcc';

const found = new Map<Tool, string | undefined>();

/** Why this machine cannot do it: a reason to skip; undefined if it can. */
export function lacks(tool: Tool): string | undefined {
  if (!found.has(tool)) found.set(tool, probe(tool));
  return found.get(tool);
}

function probe(tool: Tool): string | undefined {
  switch (tool) {
    case 'netns':
      return notRoot() ?? missing('ip', 'nft', 'nsenter', 'python3') ?? networksRefused();
    case 'strace':
      return notRoot() ?? missing('strace');
    case 'gcc':
      return notX64() ?? clocksRefused();
    case 'freezer':
      return notRoot() ?? cgroupLacks('freezer');
    case 'cpu quota':
      return notRoot() ?? cgroupLacks('cpu');
  }
}

function notRoot(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'needs root';
}

/** Where system calls are as the clock shim knows them. */
function notX64(): string | undefined {
  return process.platform === 'linux' && process.arch === 'x64' ? undefined : 'needs Linux on x64';
}

function missing(...programs: readonly string[]): string | undefined {
  const isThere = (program: string): boolean =>
    spawnSync('sh', ['-c', 'command -v "$0"', program]).status === 0;
  const absent = programs.filter((program) => !isThere(program));
  return absent.length === 0 ? undefined : `needs ${absent.join(', ')}: see scripts/ensure-chaos-tools.js`;
}

/** Root of a container may not be allowed what root of a machine is. */
function networksRefused(): string | undefined {
  const script = `
    ip link add br0 type bridge && ip link add p0 type veth peer name p1 &&
    nft 'add table bridge probe; add chain bridge probe forward { type filter hook forward priority 0; }'`;
  const { status, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', script], { encoding: 'utf8' });
  return status === 0 ? undefined : `needs root that may make networks: ${firstLine(stderr)}`;
}

/** Not every compiler has the headers, and not every container lets a process be traced. */
function clocksRefused(): string | undefined {
  if (spawnSync('gcc', ['--version']).status !== 0) return 'needs gcc';
  try {
    using clocks = new MemberClocks(1);
    const command = [...(clocks.enter[0] ?? []), 'true'];
    const options = { encoding: 'utf8', timeout: 10_000 } as const;
    const { status, stderr } = spawnSync(command[0] ?? '', command.slice(1), options);
    return status === 0 ? undefined : `needs processes that may be traced: ${firstLine(stderr)}`;
  } catch (error) {
    return `needs gcc with the headers of the C library and of Linux: ${firstLine(String(error))}`;
  }
}

const firstLine = (text: string): string => text.trim().split('\n')[0] ?? '';
