// Installs Debian packages as root, without starting what they bring. Used by ensure-etcd.js and ensure-chaos-tools.js.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const installLimitMs = 10 * 60_000;

/** @param {string} program */
export function isOnPath(program) {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => isExecutable(join(folder, program)));
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether `install` can work: root, on Debian or Ubuntu. */
export function canInstall() {
  return process.getuid?.() === 0 && isDebian();
}

/**
 * @param {readonly string[]} packages
 * @returns {boolean} whether it succeeded
 */
export function install(packages) {
  return withoutStartingServices(
    () => aptGet('update') && aptGet('install', '-y', '--no-install-recommends', ...packages),
  );
}

function isDebian() {
  if (!existsSync('/etc/os-release')) return false;
  return /^(ID|ID_LIKE)=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/**
 * @param {string[]} args
 * @returns {boolean} whether it succeeded
 */
function aptGet(...args) {
  const wait = ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3'];
  const { status } = spawnSync('apt-get', [...wait, '-q', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: installLimitMs,
  });
  return status === 0;
}

/**
 * Debian starts a service when its package is installed, unless this file says no. Ours goes, and one that was there
 * comes back, however the installation ends.
 * @param {() => boolean} install
 */
function withoutStartingServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  const aside = `${policy}.before-conclave`;
  const finishFirst = () => {}; // an interrupt ends apt-get, which ends us, through the `finally`
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, finishFirst);
  if (existsSync(policy)) renameSync(policy, aside);
  try {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    return install();
  } finally {
    rmSync(policy, { force: true });
    if (existsSync(aside)) renameSync(aside, policy);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, finishFirst);
  }
}
