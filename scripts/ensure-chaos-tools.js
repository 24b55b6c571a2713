// Makes sure that the programs are here with which networks, disks and processes are disturbed. Installs them as root on
// Debian and Ubuntu; elsewhere says how to get them. Without them, and without root, the runs on loopback still work.
import { existsSync } from 'node:fs';
import { canInstall, install, isOnPath } from './apt.js';

/** What is missing, and the Debian package that brings it. */
const packageOf = {
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  strace: 'strace',
  python3: 'python3',
  gcc: 'gcc',
  '/usr/include/time.h': 'libc6-dev',
};

/** @param {string} what */
const isThere = (what) => (what.startsWith('/') ? existsSync(what) : isOnPath(what));
const missing = () => Object.entries(packageOf).filter(([what]) => !isThere(what));
const packages = () => missing().map(([, name]) => name);

if (missing().length > 0 && canInstall()) {
  install(packages());
  if (missing().length > 0) process.exitCode = 1;
}
if (missing().length > 0) {
  const programs = missing().map(([program]) => program);
  console.error(
    `Faults of networks and disks need root and ${programs.join(', ')}: apt-get install ${packages().join(' ')} as root`,
  );
}
