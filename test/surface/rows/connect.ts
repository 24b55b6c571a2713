import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { expect, it } from 'vitest';

import { connect, toText, UnavailableError } from '../../../src/index.js';
import { freePorts } from '../../rig/ports.js';
import type { Surface } from '../surface.js';

export function connectRow(surface: Surface, isEtcd: boolean): void {
  it('takes one endpoint, as text or in a list', async () => {
    const [endpoint] = surface.backend.endpoints;
    await surface.store.put(surface.at('k'), 'v');
    for (const target of [endpoint!, { endpoints: [endpoint!] }]) {
      await using conclave = await connect(target);
      expect(surface.pairs(await conclave.store.get(surface.at('k')))).toEqual(['k=v']);
    }
  });

  if (!isEtcd) return;

  it('takes several endpoints, and uses one that answers', async () => {
    const endpoints = [...surface.backend.endpoints, await closedPort()];
    for (let client = 0; client < 4; client++) {
      await using conclave = await connect({ endpoints });
      expect(conclave.store.endpoints).toEqual(endpoints);
      await conclave.store.put(surface.at('k'), 'v');
    }
  });

  it('rejects after its dial timeout with an error that names the endpoints', async () => {
    await using silent = await silentServer();
    const endpoints = [silent.endpoint, await closedPort()];
    const error: unknown = await connect({ endpoints, dialTimeoutMs: 200 }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UnavailableError);
    for (const endpoint of endpoints) expect((error as Error).message).toContain(endpoint);
  });

  it('reconnects in the background, and what is called meanwhile is answered then', async () => {
    const { store } = surface;
    const cluster = surface.backend.cluster!;
    await store.put(surface.at('k'), 'v');
    await cluster.kill(0);
    const meanwhile = store.get(surface.at('k'), { timeoutMs: 20_000 });
    await cluster.restart(0);
    expect((await meanwhile).kvs.map(({ value }) => toText(value))).toEqual(['v']);
    await store.put(surface.at('k'), 'w');
  });
}

async function closedPort(): Promise<string> {
  const [port] = await freePorts(1);
  return `http://127.0.0.1:${port!}`;
}

/** Takes connections, and never says a word. */
async function silentServer(): Promise<AsyncDisposable & { readonly endpoint: string }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on('error', () => {}).resume()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
