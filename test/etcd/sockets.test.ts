import { once } from 'node:events';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { get } from '../../src/store/operations.js';
import { patience } from '../rig/patience.js';
import { Client } from './fixture.js';

/** What the other side does with a connection. */
type Manner = (socket: Socket) => void;

/** It accepts, and says nothing. */
const silent: Manner = (socket) => void socket.resume();
const resetting: Manner = (socket) => void socket.resetAndDestroy();
/** It speaks HTTP/2. */
const serving = (serve: (stream: ServerHttp2Stream) => void): Manner => {
  const http2 = createHttp2Server().on('stream', serve);
  return (socket) => http2.emit('connection', socket);
};

/** With a status of gRPC. */
const refuse = (stream: ServerHttp2Stream): void =>
  stream.respond({ 'content-type': 'application/grpc', 'grpc-status': '9' }, { endStream: true });

let server: Server;
let manner: Manner;
let accepted: number;
const open = new Set<Socket>();

beforeEach(async () => {
  [accepted, manner] = [0, silent];
  server = createServer((socket) => {
    accepted += 1;
    open.add(socket);
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => open.delete(socket));
    manner(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  vi.useRealTimers();
  for (const socket of open) socket.destroy();
  server.close();
});

const clientOver = (scheme: string): Client =>
  new Client(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`);

describe('no connection is left', () => {
  it.each(['http', 'https'])('by resets while the other side of %s:// is silent', async (scheme) => {
    await using client = clientOver(scheme);
    for (const time of [1, 2, 3]) {
      const failure = client.failure('get', get('k'));
      await vi.waitFor(() => expect(open.size).toBe(1), patience);
      client.transport.reset(client.endpoint);
      expect(await failure).toMatchObject({ status: 'unavailable' });
      expect(accepted).toBe(time);
      await vi.waitFor(() => expect(open.size).toBe(0), patience);
    }
  });

  it('by a dial that failed: gRPC would repeat it, though its connection was thrown away', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    manner = resetting;
    await using client = clientOver('http');
    expect(await client.failure('get', get('k'))).toMatchObject({ status: 'unavailable' });
    expect(accepted).toBe(1);

    manner = serving(refuse);
    vi.advanceTimersByTime(5_000); // gRPC would wait for one second, more or less
    expect(await client.failure('get', get('k'))).toMatchObject({ status: 'failed-precondition' });

    expect(accepted).toBe(2);
  });
});

it('a call that is under way keeps its connection when another one has failed there', async () => {
  const streams: ServerHttp2Stream[] = [];
  manner = serving((stream) => void streams.push(stream));
  await using client = clientOver('http');
  const first = client.failure('get', get('k'));
  const second = client.failure('get', get('k'));
  await vi.waitFor(() => expect(streams).toHaveLength(2), patience);

  streams[0]?.respond({ ':status': 503 }, { endStream: true }); // the connection is dropped for it
  expect(await first).toMatchObject({ status: 'unavailable' });
  await turn();
  expect(open.size).toBe(1);

  for (const stream of streams.slice(1)) refuse(stream);
  expect(await second).toMatchObject({ status: 'failed-precondition' });
  await vi.waitFor(() => expect(open.size).toBe(0), patience);
});
