import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

/** A certificate with its key, as files (for etcd) and as text (for the client). */
export interface Identity {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** A throw-away authority with a server certificate (127.0.0.1, localhost, etcd.test) and a client certificate. */
export class Certificates implements AsyncDisposable {
  readonly #directory: string;
  readonly authority: Identity;
  readonly server: Identity;
  /** Its common name is `root`: with auth and `--client-cert-auth` etcd takes it for that user. */
  readonly client: Identity;

  private constructor(directory: string, authority: Identity, server: Identity, client: Identity) {
    this.#directory = directory;
    this.authority = authority;
    this.server = server;
    this.client = client;
  }

  /** @param given an authority to sign them @default one of their own */
  static async create(given?: Identity): Promise<Certificates> {
    const directory = await mkdtemp(join(tmpdir(), 'conclave-certificates-'));
    const authority = given ?? (await issue(directory, 'authority', '/CN=test authority'));
    const server = await issue(
      directory,
      'server',
      '/CN=etcd.test',
      authority,
      'IP:127.0.0.1,DNS:localhost,DNS:etcd.test',
    );
    const client = await issue(directory, 'client', '/CN=root', authority, 'DNS:client');
    return new Certificates(directory, authority, server, client);
  }

  /** Another client certificate, of this common name; of none if it is empty. */
  async issue(name: string): Promise<Identity> {
    const subject = name === '' ? '/O=nobody' : `/CN=${name}`;
    return issue(this.#directory, `client-${name}`, subject, this.authority, 'DNS:client');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function issue(
  directory: string,
  name: string,
  subject: string,
  authority?: Identity,
  names?: string,
): Promise<Identity> {
  const certFile = join(directory, `${name}.crt`);
  const keyFile = join(directory, `${name}.key`);
  const signedBy = authority ? ['-CA', authority.certFile, '-CAkey', authority.keyFile] : [];
  const extensions = [
    ...(names === undefined ? [] : ['-addext', `subjectAltName=${names}`]),
    ...(authority ? ['-addext', 'basicConstraints=critical,CA:FALSE'] : []),
  ];
  await run('openssl', [
    ...['req', '-x509', ...newKey, '-subj', subject],
    ...signedBy,
    ...extensions,
    ...['-keyout', keyFile, '-out', certFile],
  ]);
  return {
    certFile,
    keyFile,
    cert: await readFile(certFile, 'utf8'),
    key: await readFile(keyFile, 'utf8'),
  };
}
