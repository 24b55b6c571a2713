import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';

import { connect } from '../../src/connect.js';
import { prefix } from '../../src/store/operations.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { untilWaiting } from './fixture.js';

it('a lock on a real etcd goes from one process to the next: by release, and when its holder is killed', async () => {
  await using cluster = await Cluster.start();
  const namespace = randomUUID();
  const options = { endpoints: cluster.endpoints, namespace, sessionTtlMs: 2_000 };
  const conclave = await connect({ ...options, sessionTtlMs: 10_000 });
  const mutex = conclave.mutex('smoke');
  await using first = await Client.connect(options);
  await using second = await Client.connect(options);

  const held = await first.acquire('smoke');
  const next = second.acquire('smoke');
  await untilWaiting(mutex, 1);
  expect(await mutex.tryAcquire()).toBeUndefined();
  await first.call('release', { key: held.key });
  const tokens = [BigInt(held.fencingToken), BigInt((await next).fencingToken)];

  const ours = mutex.acquire();
  await untilWaiting(mutex, 1);
  await second.kill();
  const hold = await ours;
  tokens.push(hold.fencingToken);
  expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
  expect(await conclave.store.txn({ if: hold.guard() })).toMatchObject({ succeeded: true });

  first.signal('SIGTERM');
  expect(await first.ended).toMatchObject({ code: 0 });
  await conclave.close();
  expect(hold.signal.aborted).toBe(true);
  await using after = await connect(options);
  expect((await after.store.get(prefix(namespace))).count).toBe(0);
});
