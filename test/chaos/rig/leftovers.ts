let made = 0;

/** A name for something the kernel keeps: tells whose it is, so that what a dead run has left can be told. */
export function ownName(): string {
  made += 1;
  return `conclave-${process.pid}-${made}`;
}

/** Whether something with this name was left by a process that is no more. */
export function isLeftover(name: string): boolean {
  const pid = /^conclave-(\d+)-\d+/.exec(name)?.[1];
  return pid !== undefined && !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
