import { describe, expect, it } from 'vitest';
import type { KeyValue } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { isReclaim } from './requests.js';

const grants = (world: World, client: Parameters<World['calls']>[0]): number =>
  world.calls(client).filter(({ method }) => method === 'leaseGrant').length;

describe('a cancel', () => {
  it('whose session is lost before it arrives is done under the next one, which lives on', async () => {
    await using world = await World.open();
    const worker = await world.client({ sessionTtlMs: 60_000 });
    const client = await world.client({ sessionTtlMs: 12_000 });
    await client.queue('q').enqueue('x', { id: 'one' });
    const delivery = await worker.queue('q').receive();
    world.lagWatches(client, 5_000); // it does not hear of the end of its session
    await world.expireSession(client);
    const before = grants(world, client);

    expect(await world.run(client.queue('q').cancel('one'))).toBe('running');
    const hold = await client.mutex('m').acquire();
    await world.advance(20_000);

    expect(hold.isHeld()).toBe(true);
    expect(grants(world, client)).toBe(before + 1);
    expect(delivery.isCancelled).toBe(true);
  });

  it('of a job that waits costs no session if somebody has revoked the lease of the results', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    const hold = await client.mutex('m').acquire();
    await queue.enqueue('x', { id: 'one' });
    await queue.enqueue('y', { id: 'two' });
    await queue.cancel('one');
    const [result] = (await world.store.get('conclave/queue/q/result/one')).kvs;
    await world.store.lease.revoke((result as KeyValue).lease);

    expect(await world.run(queue.cancel('two'))).toBe('waiting');
    expect(hold.isHeld()).toBe(true);
    expect(await queue.waitFor('two')).toEqual({ state: 'cancelled' });
  });

  it('that lands between the look of whoever gives the job of a lost worker to others and the change is not lost', async () => {
    await using world = await World.open();
    const worker = await world.client({ sessionTtlMs: 12_000 });
    const other = await world.client({ sessionTtlMs: 12_000 });
    const third = await world.client();
    await other.queue('q').enqueue('x', { id: 'one' });
    await worker.queue('q').receive();
    const next = outcome(other.queue('q').receive({ timeoutMs: 30_000 }));
    await world.advance(1_000);
    let cancelled: Promise<unknown> | undefined;
    world.delayRequest(other, {
      method: 'txn',
      where: (request) => {
        if (!isReclaim(request)) return false;
        cancelled ??= third.queue('q').cancel('one');
        return true;
      },
      ms: 1_000,
      isSilent: true,
    });

    await world.expireSession(worker);
    await world.advance(35_000);

    expect(await cancelled).toBe('running');
    expect(await next).toMatchObject({ code: 'WAIT_TIMEOUT' });
    expect(await other.queue('q').waitFor('one')).toEqual({ state: 'cancelled' });
  });
});
