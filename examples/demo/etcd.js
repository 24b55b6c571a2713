// An etcd of our own: in a temporary folder, on free loopback ports, gone when we are.
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** @returns the path of `etcd`, if it is on the PATH */
export function findEtcd() {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, 'etcd')).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export class Etcd {
  #folder = mkdtempSync(join(tmpdir(), 'conclave-demo-'));
  #server;
  #guard;
  endpoint;

  /** Resolves when it has been started; it serves a little later. */
  async start(program) {
    const [client, peer] = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`);
    const flags = [
      `--data-dir=${this.#folder}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ];
    this.#server = spawn(program, flags, { stdio: 'ignore' });
    await once(this.#server, 'spawn');
    // Should we be killed ourselves, the pipe breaks, and this shell clears up.
    const script = 'read -r line; kill -9 "$0"; rm -rf "$1"';
    this.#guard = spawn('/bin/sh', ['-c', script, String(this.#server.pid), this.#folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.endpoint = client;
  }

  async stop() {
    if (this.#server?.kill('SIGKILL')) await once(this.#server, 'exit');
    this.stopNow();
  }

  /** For the end of the process, where nothing can be awaited. Idempotent. */
  stopNow() {
    this.#server?.kill('SIGKILL');
    this.#guard?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** All are held until all are known, so that they differ. */
async function freePorts(count) {
  const probes = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(probes.map((probe) => once(probe, 'listening')));
  const ports = probes.map((probe) => probe.address().port);
  await Promise.all(probes.map((probe) => once(probe.close(), 'close')));
  return ports;
}
