import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { connect } from '../../src/index.js';

const endpoint = 'http://127.0.0.1:2379';
const open = (options: object): EtcdTransport =>
  new EtcdTransport({ runtime: systemRuntime, dialTimeoutMs: 5_000, ...options });

describe('the options', () => {
  it.each([
    'http://127.0.0.1:2379',
    'https://etcd.example.com:2379',
    'http://[::1]:2379',
    'http://localhost:1',
  ])('take the endpoint %s', (good) => {
    expect(open({ endpoints: [good] }).endpoints).toEqual([good]);
  });

  it.each([
    '127.0.0.1:2379',
    'http://127.0.0.1',
    'http://127.0.0.1:0',
    'http://127.0.0.1:65536',
    'http://user@host:2379',
    'http://host:2379/path',
    'ftp://host:2379',
    'http://a,b:2379',
    '',
  ])('refuse the endpoint "%s"', (bad) => {
    expect(() => open({ endpoints: [bad] })).toThrow(TypeError);
  });

  it('need endpoints, each once', () => {
    expect(() => open({})).toThrow('endpoints must not be empty');
    expect(() => open({ endpoints: [] })).toThrow('endpoints must not be empty');
    expect(() => open({ endpoints: [endpoint, endpoint] })).toThrow('endpoints must differ');
  });

  it('need username and password together', () => {
    expect(() => open({ endpoints: [endpoint], username: 'root' })).toThrow(TypeError);
    expect(() => open({ endpoints: [endpoint], password: 'secret' })).toThrow(TypeError);
  });

  it('refuse certificates for an endpoint that would not use them', () => {
    expect(() => open({ endpoints: [endpoint], tls: {} })).toThrow('is not https');
    expect(() => open({ endpoints: [endpoint], tls: () => ({}) })).toThrow('is not https');
  });

  it('refuse certificates that cannot be read', () => {
    const endpoints = ['https://127.0.0.1:2379'];
    expect(() => open({ endpoints, tls: { ca: 'no certificate' } })).toThrow('tls.ca is not a certificate');
    expect(() => open({ endpoints, tls: { cert: 'x', key: 'y' } })).toThrow('cannot be read');
    expect(() => open({ endpoints, tls: { cert: 'x' } })).toThrow('tls.cert and tls.key need each other');
  });

  it('refuse pings that etcd would punish, and a dial timeout that is none', () => {
    const grpcOptions = { 'grpc.keepalive_time_ms': 4_999 };
    expect(() => open({ etcd3: { hosts: endpoint, grpcOptions } })).toThrow(RangeError);
    expect(() => open({ endpoints: [endpoint], dialTimeoutMs: Number.NaN })).toThrow(RangeError);
  });
});

describe('the options of etcd3', () => {
  it('name hosts as etcd3 does', () => {
    expect(open({ etcd3: { hosts: '127.0.0.1:2379' } }).endpoints).toEqual([endpoint]);
    expect(open({ etcd3: { hosts: [endpoint] } }).endpoints).toEqual([endpoint]);
    expect(open({ etcd3: { hosts: '127.0.0.1:2379', credentials: {} } }).endpoints).toEqual([
      'https://127.0.0.1:2379',
    ]);
  });

  it.each(['faultHandling', 'dialTimeout', 'defaultCallOptions', 'unheardOf'])(
    'refuse %s by name',
    (name) => {
      expect(() => open({ etcd3: { hosts: endpoint, [name]: {} } })).toThrow(
        `etcd3.${name} is not supported`,
      );
    },
  );

  it('refuse call options of the login', () => {
    const auth = { username: 'root', password: 'secret', callOptions: {} };
    expect(() => open({ etcd3: { hosts: endpoint, auth } })).toThrow('etcd3.auth.callOptions');
  });

  it('may not contradict the direct ones', () => {
    expect(() => open({ endpoints: [endpoint], etcd3: { hosts: endpoint } })).toThrow(
      'endpoints is given twice',
    );
    const auth = { username: 'root', password: 'secret' };
    expect(() => open({ username: 'me', password: 'pw', etcd3: { hosts: endpoint, auth } })).toThrow(
      'given twice',
    );
  });
});

it.each([
  ['https', 'Perhaps it speaks no TLS: then the address begins with http://.'],
  ['http', 'Perhaps it speaks TLS: then the address begins with https://.'],
])('connect says what may be wrong with %s:// if something else answers', async (scheme, advice) => {
  const other = createServer((socket) => void socket.on('error', () => {}).once('data', () => socket.end()));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  try {
    const opening = connect({ endpoints: [`${scheme}://127.0.0.1:${port}`], dialTimeoutMs: 500 });
    await expect(opening).rejects.toThrow(`${advice} Is etcd running there?`);
  } finally {
    other.close();
  }
});
