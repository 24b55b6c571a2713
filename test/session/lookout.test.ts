import { setImmediate as settled } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { Conclave } from '../../src/conclave.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { type StreamListener, TransportError, type WatchMessage } from '../../src/store/transport.js';
import { ManualRuntime } from '../memory/manual-runtime.js';
import { RecordingTransport } from '../rig/recording-transport.js';

let runtime: ManualRuntime;
let engine: Engine;
let transport: RecordingTransport;
let holder: Conclave;
let other: Conclave;
/** Of the holder's latest stream of watches. */
let watching: StreamListener<WatchMessage>;

beforeEach(() => {
  runtime = new ManualRuntime();
  engine = new Engine({ runtime });
  transport = new RecordingTransport(new MemoryTransport(engine));
  const watchStream = transport.watchStream.bind(transport);
  transport.watchStream = (endpoint, listener) => watchStream(endpoint, (watching = listener));
  holder = Conclave.over(transport, { runtime });
  other = Conclave.over(new MemoryTransport(engine), { runtime });
});

afterEach(async () => {
  await Promise.all([holder.close(), other.close()]);
  engine.close();
});

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    runtime.advance(50);
    await settled();
  }
}

it('a session that was refused its watch for a while hears at once again once it is let in', async () => {
  const hold = await holder.mutex('m').acquire();
  const denied = new TransportError('permission-denied', 'etcdserver: permission denied');
  transport.onCall = () => {
    throw denied;
  };
  watching.ended(denied);
  await pass(1_000);

  transport.onCall = () => {};
  await pass(16_000); // a slow look

  await other.forceRelease('mutex', 'm', { reason: 'x' });
  await settled();
  expect(hold.isHeld()).toBe(false);
});
