import { setImmediate as settled } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { Conclave } from '../../src/conclave.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { TransportError } from '../../src/store/transport.js';
import { ManualRuntime } from '../memory/manual-runtime.js';
import { RecordingTransport } from '../rig/recording-transport.js';

/** With this TTL a session counts as lost 2.4 s after its grant was sent, unless it is renewed. */
const sessionTtlMs = 3_000;
let runtime: ManualRuntime;
let engine: Engine;
let transport: RecordingTransport;
let conclave: Conclave;

beforeEach(() => {
  runtime = new ManualRuntime();
  engine = new Engine({ runtime });
  transport = new RecordingTransport(new MemoryTransport(engine));
  conclave = Conclave.over(transport, { runtime, sessionTtlMs });
});

afterEach(async () => {
  await conclave.close();
  engine.close();
});

it('a session whose grant was answered late is renewed at once, before its time is up', async () => {
  transport.onAnswer = (method) => {
    if (method === 'leaseGrant') runtime.advance(2_000);
  };
  const session = await conclave.withSession();
  runtime.advance(1);
  await settled();
  runtime.advance(1_000); // a third of the TTL after the answer
  expect(session.isValid()).toBe(true);
});

it('the time of a session does not count from a grant that was never sent', async () => {
  transport.onCall = (method) => {
    if (method !== 'leaseGrant' || transport.calls.length > 1) return;
    runtime.advance(3_000);
    throw new TransportError('unavailable', 'connection refused', { neverSent: true });
  };
  const opening = conclave.withSession();
  await settled();
  runtime.advance(100); // the pause before the second attempt
  const session = await opening;
  expect(transport.calls.filter((method) => method === 'leaseGrant')).toHaveLength(2);
  expect(session.isValid()).toBe(true);
});

it('a call ends within its limit, pauses between attempts included', async () => {
  transport.onCall = () => {
    throw new TransportError('unavailable', 'connection refused', { neverSent: true });
  };
  const ended = conclave.store.get('k', { timeoutMs: 2_000 }).then(
    () => 0,
    () => runtime.now(),
  );
  for (let ms = 0; ms < 4_000; ms += 10) {
    runtime.advance(10);
    await settled();
  }
  expect(await ended).toBe(2_000);
});
