import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthError, type Conclave, connect } from '../../src/index.js';
import { run } from '../project/program.js';
import { Certificates } from '../rig/certificates.js';
import { Cluster } from '../rig/cluster.js';
import { documentedCommands } from './document.js';
import { uses, usesOfPath } from './uses.js';

const users = ['root', 'billing', 'dashboard'];
const passwordOf = (user: string): string => `password-of-${user}`;

let certificates: Certificates;
let cluster: Cluster;
let folder: string;
let login: Readonly<Record<string, string>> = {};
const clients: Conclave[] = [];

/** Runs a block of docs/security.md as it stands there. */
async function follow(name: string): Promise<void> {
  const { code } = documentedCommands(name);
  const { authority, client } = certificates;
  const env = {
    ETCDCTL_API: '3',
    ETCDCTL_ENDPOINTS: cluster.endpoints.join(','),
    ETCDCTL_CACERT: authority.certFile,
    ETCDCTL_CERT: client.certFile,
    ETCDCTL_KEY: client.keyFile,
    ...login,
  };
  await run('bash', ['-euo', 'pipefail', '-c', code], { cwd: folder, env });
}

async function as(username: string, namespace = 'shop'): Promise<Conclave> {
  const { authority, client } = certificates;
  const tls = { ca: authority.cert, cert: client.cert, key: client.key };
  const endpoints = cluster.endpoints;
  const conclave = await connect({ endpoints, namespace, tls, username, password: passwordOf(username) });
  clients.push(conclave);
  return conclave;
}

beforeAll(async () => {
  certificates = await Certificates.create();
  cluster = await Cluster.start({ certificates, clientCertificates: true, flags: ['--bcrypt-cost=4'] });
  folder = mkdtempSync(join(tmpdir(), 'conclave-security-'));
  for (const user of users) writeFileSync(join(folder, `${user}.password`), `${passwordOf(user)}\n`);
  await follow('enable');
  login = { ETCDCTL_USER: 'root', ETCDCTL_PASSWORD: passwordOf('root') };
  for (const name of ['namespace', 'observer']) await follow(name);
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close({ drainTimeoutMs: 0 })));
  rmSync(folder, { recursive: true, force: true });
  await cluster.dispose();
  await certificates[Symbol.asyncDispose]();
});

describe('whoever follows docs/security.md', () => {
  it('has a user for a namespace who can use everything there', async () => {
    const billing = await as('billing');
    for (const use of Object.values(uses)) await use(billing);
  });

  it('and nothing elsewhere, before that is granted', async () => {
    for (const namespace of ['shopping', 'other'])
      await expect(as('billing', namespace)).rejects.toThrow(AuthError);
    for (const use of Object.values(usesOfPath)) {
      const billing = await as('billing');
      await expect(use(billing, '/legacy/other')).rejects.toThrow(AuthError);
    }
  });

  it('has a path besides, once it is granted', async () => {
    await follow('path');
    const billing = await as('billing');
    await usesOfPath['mutex']!(billing, '/legacy/lock');
    await usesOfPath['election']!(billing, '/legacy/lock');
    await usesOfPath['queue']!(billing, '/legacy/queue');
    await usesOfPath['queue with priorities']!(billing, '/legacy/queue');
    await usesOfPath['gate']!(billing, '/legacy/gate');
  });

  it('has an observer who sees everything and can do nothing', async () => {
    const billing = await as('billing');
    const hold = await billing.mutex('seen').acquire();
    await billing.election('e').campaign('leads');
    await billing.gate('g').open();
    const dashboard = await as('dashboard');
    expect((await dashboard.mutex('seen').inspect()).holder?.fencingToken).toBe(hold.fencingToken);
    for await (const { leader } of dashboard.election('e').observe()) {
      expect(leader?.value).toBe('leads');
      break;
    }
    await uses['list']!(dashboard);
    await dashboard.queue('q').inspect();
    await dashboard.gate('g').wait();
    for (const attempt of [
      dashboard.mutex('m').acquire(),
      dashboard.queue('q').enqueue(1),
      dashboard.requestRelease('mutex', 'seen', { reason: 'x' }),
      dashboard.forceRelease('mutex', 'seen', { reason: 'x' }),
      dashboard.store.remove(hold.key),
    ].map((each) =>
      each.then(
        () => 'done',
        (error: unknown) => error,
      ),
    ))
      expect(await attempt).toBeInstanceOf(AuthError);
    expect(hold.isHeld()).toBe(true);
  });

  it('has a user that needs a certificate alone', async () => {
    await follow('certificate');
    const { cert, key } = await certificates.issue('shipping');
    const tls = { ca: certificates.authority.cert, cert, key };
    const shipping = await connect({ endpoints: cluster.endpoints, namespace: 'shop', tls });
    clients.push(shipping);
    await uses['mutex']!(shipping);
  });
});
