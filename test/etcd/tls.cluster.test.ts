import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { get } from '../../src/store/operations.js';
import { Certificates } from '../rig/certificates.js';
import { Cluster } from '../rig/cluster.js';
import { Proxy } from '../rig/proxy.js';
import { Client } from './fixture.js';

let ours: Certificates;
let theirs: Certificates;
let cluster: Cluster;
let endpoint: string;

beforeAll(async () => {
  [ours, theirs] = await Promise.all([Certificates.create(), Certificates.create()]);
  cluster = await Cluster.start({ certificates: ours, clientCertificates: true });
  endpoint = cluster.endpoints[0]!;
}, 30_000);

afterAll(async () => {
  await cluster.dispose();
  await Promise.all([ours[Symbol.asyncDispose](), theirs[Symbol.asyncDispose]()]);
});

const identity = () => ({ cert: ours.client.cert, key: ours.client.key });

const failsWith = (text: string): object => ({
  status: 'unavailable',
  neverSent: true,
  detail: expect.stringContaining(text) as string,
});

describe('with TLS', () => {
  it('a client with the right authority and certificate is served', async () => {
    await using client = new Client(endpoint, { tls: { ca: ours.authority.cert, ...identity() } });
    await client.call('get', get('k'));
  });

  it('certificates may be bytes, or the credentials of an etcd3 client', async () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    const credentials = {
      rootCertificate: bytes(ours.authority.cert),
      certChain: bytes(ours.client.cert),
      privateKey: bytes(ours.client.key),
    };
    await using client = new Client(endpoint, {
      endpoints: undefined as never,
      etcd3: { hosts: endpoint, credentials },
    });
    await client.call('get', get('k'));
  });

  it('a server of another authority is not trusted, and the error says so', async () => {
    await using client = new Client(endpoint, { tls: { ca: theirs.authority.cert, ...identity() } });
    expect(await client.failure('get', get('k'))).toMatchObject(failsWith('unable to verify'));
    await using noAuthority = new Client(endpoint);
    expect(await noAuthority.failure('get', get('k'))).toMatchObject(failsWith('unable to verify'));
  });

  it('a client without a certificate the server trusts is refused, and the error says so', async () => {
    const ca = ours.authority.cert;
    await using none = new Client(endpoint, { tls: { ca } });
    expect(await none.failure('get', get('k'))).toMatchObject(failsWith('alert'));
    await using foreign = new Client(endpoint, {
      tls: { ca, cert: theirs.client.cert, key: theirs.client.key },
    });
    expect(await foreign.failure('get', get('k'))).toMatchObject(failsWith('alert'));
  });

  it('the name in the certificate of the server is checked, or another one if given', async () => {
    const tls = { ca: ours.authority.cert, ...identity() };
    await using good = new Client(endpoint, { tls: { ...tls, serverName: 'etcd.test' } });
    await good.call('get', get('k'));
    await using bad = new Client(endpoint, { tls: { ...tls, serverName: 'elsewhere.test' } });
    expect(await bad.failure('get', get('k'))).toMatchObject(
      failsWith("does not match certificate's altnames"),
    );
  });

  it('a login works together with another server name', async () => {
    await using secured = await Cluster.start({ certificates: ours, rootPassword: 'secret' });
    await using client = new Client(secured.endpoints[0]!, {
      tls: { ca: ours.authority.cert, serverName: 'etcd.test' },
      username: 'root',
      password: 'secret',
    });
    await client.call('get', get('k'));
  }, 20_000);

  it('a function is asked for certificates at each new connection, so that they can be replaced', async () => {
    await using proxy = await Proxy.start(endpoint);
    const authorities = [theirs.authority.cert, ours.authority.cert, ours.authority.cert];
    await using client = new Client(proxy.endpoint, {
      tls: async () => ({ ca: authorities.shift()!, ...identity() }),
    });
    await client.failure('get', get('k'));
    await client.call('get', get('k'));
    await client.call('get', get('k'));
    expect(authorities).toHaveLength(1);
    client.transport.reset(proxy.endpoint);
    await client.call('get', get('k'));
    expect(authorities).toHaveLength(0);
  });

  it('a function that returns what is no certificate is asked again by the next call', async () => {
    const authorities = ['no certificate', ours.authority.cert];
    await using client = new Client(endpoint, { tls: () => ({ ca: authorities.shift()!, ...identity() }) });
    expect(await client.failure('get', get('k'))).toMatchObject(failsWith('tls cannot be had'));
    await client.call('get', get('k'));
  });

  it('a function that does not answer is bounded by the dial timeout', async () => {
    await using client = new Client(endpoint, { tls: () => new Promise(() => {}), dialTimeoutMs: 50 });
    expect(await client.failure('get', get('k'))).toMatchObject(failsWith('took longer than 50 ms'));
  });
});
