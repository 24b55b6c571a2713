import { describe, expect, it } from 'vitest';
import { Deadline } from '../../src/session/deadline.js';
import { Epoch } from '../../src/session/epoch.js';
import type { KeyValue } from '../../src/store/results.js';
import { World } from '../../src/testing/index.js';

const kv = (createRevision: bigint, modRevision: bigint): KeyValue => ({
  key: Buffer.from('k'),
  value: Buffer.from(''),
  createRevision,
  modRevision,
  version: 1n,
  lease: 1n,
});

describe('the epoch of a session', () => {
  async function epoch(onGone: () => void): Promise<Epoch> {
    await using world = await World.open();
    const { runtime } = world.peer();
    return new Epoch(world.store, runtime, {
      key: 'k',
      leaseId: 1n,
      kv: { createRevision: 5n, modRevision: 5n },
      requestTimeoutMs: 1_000,
      ended: new AbortController().signal,
      onGone,
    });
  }

  it('goes on with what answers show, and does not go back by one that comes late', async () => {
    const { guard, learn } = bound(await epoch(() => {}));
    expect(learn(kv(5n, 9n))).toBe(true);
    expect(learn(kv(5n, 7n))).toBe(true);
    expect(guard()).toMatchObject({ target: 'modRevision', result: '=', operand: 9n });
  });

  it('is over when the key is another one, or none', async () => {
    let told = 0;
    const { learn } = bound(await epoch(() => told++));
    expect([learn(kv(8n, 8n)), learn(undefined)]).toEqual([false, false]);
    expect(told).toBe(2);
  });
});

function bound(epoch: Epoch): Pick<Epoch, 'guard' | 'learn'> {
  return { guard: () => epoch.guard(), learn: (shown) => epoch.learn(shown) };
}

describe('a deadline', () => {
  it('counts from the send of the latest renewal, not of one that is answered late', async () => {
    await using world = await World.open();
    const { runtime } = world.peer();
    const renewal = (sentAt: number): ConstructorParameters<typeof Deadline>[1] => ({
      sentAt,
      sentAtWall: runtime.wallNow(),
      ttlSeconds: 10,
    });
    const deadline = new Deadline(runtime, renewal(0));
    expect(deadline.at).toBe(8_000);
    deadline.renewed(renewal(4_000));
    deadline.renewed(renewal(2_000));
    expect(deadline.at).toBe(12_000);
  });
});
