// Makes sure that `etcd` and `etcdctl` can be started. Installs them as root on Debian and Ubuntu; elsewhere says how
// to get them. Starts nothing, and touches no etcd that runs.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

import { canInstall, install, isOnPath } from './apt.js';

const programs = ['etcd', 'etcdctl'];
const packages = ['etcd-server', 'etcd-client'];

/** The service was enabled by the installation, and would start with the machine's next boot. */
function leaveServiceDisabled() {
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', 'etcd'], { stdio: 'ignore' });
}

const areHere = () => programs.every(isOnPath);
if (!areHere() && canInstall() && install(packages)) leaveServiceDisabled();
if (!areHere()) {
  console.error(
    `The tests need ${programs.join(' and ')} on the PATH: apt-get install ${packages.join(' ')} as root, or https://github.com/etcd-io/etcd/releases`,
  );
  process.exitCode = 1;
}
