import { setImmediate as settled } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { Conclave } from '../../src/conclave.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { TransportError } from '../../src/store/transport.js';
import { ManualRuntime } from '../memory/manual-runtime.js';
import { RecordingTransport } from '../rig/recording-transport.js';
import { outcome } from './observe.js';

let runtime: ManualRuntime;
let engine: Engine;
let transport: RecordingTransport;
let conclave: Conclave;

beforeEach(() => {
  runtime = new ManualRuntime();
  engine = new Engine({ runtime });
  transport = new RecordingTransport(new MemoryTransport(engine));
  conclave = Conclave.over(transport, { runtime });
});

afterEach(async () => {
  await conclave.close();
  engine.close();
});

function withdraw(): void {
  transport.onCall = (method) => {
    if (method === 'txn') throw new TransportError('permission-denied', 'etcdserver: permission denied');
  };
}

function grant(): void {
  transport.onCall = () => {};
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    runtime.advance(50);
    await settled();
  }
}

it('a take whose answer was lost is settled when a permission that was withdrawn is back', async () => {
  const mutex = conclave.mutex('m');
  await (await mutex.acquire()).release();
  transport.onAnswer = () => {
    transport.onAnswer = () => {};
    withdraw(); // before the answer can be settled
    throw new TransportError('unavailable', 'the connection broke');
  };
  const acquiring = mutex.acquire();
  await pass(3_000);

  grant();
  await pass(3_000);

  expect((await acquiring).isHeld()).toBe(true);
});

it('a ticket whose release was refused is removed when the permission is back', async () => {
  const mutex = conclave.mutex('m');
  const hold = await mutex.acquire();
  withdraw();
  expect(await outcome(hold.release())).toMatchObject({ code: 'AUTH' });
  expect(await outcome(mutex.acquire())).toMatchObject({ code: 'AUTH' });

  grant();
  await pass(3_000);

  expect((await mutex.inspect()).holder).toBeUndefined();
});
