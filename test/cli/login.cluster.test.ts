import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Certificates } from '../rig/certificates.js';
import { Cluster } from '../rig/cluster.js';
import { conclave, type Ended } from './conclave-program.js';

const password = 'correct horse';
let certificates: Certificates;
let cluster: Cluster;
let passwordFile: string;
let folder: string;

beforeAll(async () => {
  certificates = await Certificates.create();
  cluster = await Cluster.start({ certificates, rootPassword: password });
  await cluster.etcdctl('user', 'add', 'guest:guest');
  folder = mkdtempSync(join(tmpdir(), 'conclave-cli-'));
  passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${password}\n`);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster.dispose();
  await certificates[Symbol.asyncDispose]();
});

function ls(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const { authority, client } = certificates;
  const tls = ['--ca', authority.certFile, '--cert', client.certFile, '--key', client.keyFile];
  return conclave(['ls', '--json', '--endpoints', cluster.endpoints.join(','), ...tls, ...args], env);
}

it('shows its certificate, and takes the password from a file or from the environment', async () => {
  expect(await ls(['--username', 'root', '--password-file', passwordFile])).toMatchObject({
    status: 0,
    stderr: '',
  });
  expect(await ls(['--username', 'root'], { CONCLAVE_PASSWORD: password })).toMatchObject({
    status: 0,
    stderr: '',
  });
});

it('does not ask for a password where nobody could answer', async () => {
  const { status, stderr } = await ls(['--username', 'root']);
  expect(status).toBe(64);
  expect(stderr).toBe(
    'conclave: there is no terminal to ask for the password on: set CONCLAVE_PASSWORD or use --password-file\n',
  );
});

it('ends with 77 for a wrong password, none, or one without permission', async () => {
  const wrong = await ls(['--username', 'root'], { CONCLAVE_PASSWORD: 'wrong' });
  expect(wrong.status).toBe(77);
  expect(wrong.stderr).toMatch(/^conclave: .*wrong user name or password.*\n$/);
  expect((await ls([])).status).toBe(77);
  const guest = await ls(['--username', 'guest'], { CONCLAVE_PASSWORD: 'guest' });
  expect(guest.status).toBe(77);
  expect(guest.stderr).toContain('permission denied');
});

it('ends with 77 for a certificate that nobody trusts', async () => {
  const { status, stderr } = await conclave(['ls', '--endpoints', cluster.endpoints.join(',')]);
  expect(status).toBe(77);
  expect(stderr).toContain('--ca');
});

it('says which file cannot be read', async () => {
  const { status, stderr } = await ls(['--username', 'root', '--password-file', join(folder, 'missing')]);
  expect(status).toBe(64);
  expect(stderr).toContain('conclave: --password-file: cannot read the file (ENOENT');
});
