// Builds the versions of etcd that are not installed, from the Go module proxy, into a cache of the user's: minutes the
// first time, nothing after that. Says one line per version. Without Go it says so, and succeeds: tests of such a
// version are skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cache, isBuilt, releases } from './etcd-versions.js';

const commandLimitMs = 10 * 60_000;

/**
 * @param {string} folder
 * @param {string[]} args
 * @throws {Error} with the last of what it said, if it fails
 */
function go(folder, ...args) {
  const { status, error, stderr } = spawnSync('go', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: commandLimitMs,
    maxBuffer: 64 * 1024 * 1024,
    // Whatever is set for the user's own modules is not meant for this one.
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod -buildvcs=false', GOWORK: 'off' },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(stderr.trim().split('\n').slice(-3).join('; '));
}

/**
 * Programs cannot be installed by `go install`, since their modules replace others: a module of our own requires them.
 * What that resolves to is checked against Go's checksum database.
 * @param {string} version
 */
function build(version) {
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'conclave-build-etcd-'));
  const result = mkdtempSync(join(cache, '.building-'));
  try {
    const programs = { etcd: 'go.etcd.io/etcd/server/v3', etcdctl: 'go.etcd.io/etcd/etcdctl/v3' };
    go(scratch, 'mod', 'init', 'scratch');
    go(scratch, 'get', ...Object.values(programs).map((name) => `${name}@v${version}`));
    for (const [program, name] of Object.entries(programs))
      go(scratch, 'build', '-p', '2', '-trimpath', '-ldflags=-s -w', '-o', join(result, program), name);
    keep(result, join(cache, version));
  } finally {
    rmSync(result, { recursive: true, force: true });
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * In one step, so that nobody ever finds half a build; who comes second leaves the first one's there.
 * @param {string} folder
 * @param {string} place
 */
function keep(folder, place) {
  try {
    renameSync(folder, place);
  } catch (error) {
    if (!existsSync(place)) throw error;
  }
}

/** @param {import('./etcd-versions.js').Line} line @returns {string} what came of it */
function make(line) {
  if (isBuilt(line)) return `found in ${cache}`;
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) return 'not built: needs Go';
  const started = Date.now();
  try {
    build(releases[line]);
    return `built in ${Math.round((Date.now() - started) / 1_000)} s`;
  } catch (error) {
    return `not built: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const lines = /** @type {import('./etcd-versions.js').Line[]} */ (Object.keys(releases));
for (const line of lines) console.log(`etcd ${releases[line]}: ${make(line)}`);
