import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthError, type Hold, isConclaveError } from '../../src/index.js';
import { patience } from '../rig/patience.js';
import { Secured } from './fixture.js';

let etcd: Secured;

beforeAll(async () => {
  etcd = await Secured.start();
});

afterAll(() => etcd[Symbol.asyncDispose]());

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: unknown) => (isConclaveError(error) ? error.code : error),
  );

describe('a permission that is withdrawn', () => {
  it('ends what is asked for after that with AuthError; what stands goes on, and is given back once it is granted again', async () => {
    await etcd.user('ann', { readwrite: ['ann/'] });
    const ann = await etcd.as('ann');
    const other = await etcd.as('ann');
    const hold = await ann.mutex('held').acquire();
    const waiting = other.mutex('held').acquire();
    await expect.poll(async () => (await ann.mutex('held').inspect()).waiters.length, patience).toBe(1);
    const watch = ann.store.watch('ann/k')[Symbol.asyncIterator]();
    await watch.next();

    await etcd.withdraw('ann', 'ann/');
    const refused = [
      ann.mutex('other').acquire(),
      ann.mutex('other').tryAcquire(),
      ann.election('e').campaign('x'),
      ann.semaphore('s', { limit: 1 }).inspect(),
      ann.queue('q').enqueue(1),
      ann.queue('q').receive(),
      ann.gate('g').wait(),
      ann.latch('l', { count: 1 }).wait(),
      ann.doubleBarrier('d', { parties: 2 }).enter(),
      ann.withSession(),
      ann.list().next(),
      hold.commit([]),
      hold.release(),
    ].map(codeOf);
    expect(new Set(await Promise.all(refused))).toEqual(new Set(['AUTH']));

    await etcd.grant('ann', 'Readwrite', 'ann/');
    await (await waiting).release();
    await watch.return();
    await ann.mutex('other').run(() => {});
  });

  it('of a user that is deleted: AuthError for the login, and its keys go with its lease', async () => {
    await etcd.user('bob', { readwrite: ['bob/'] });
    const bob = await etcd.as('bob', { sessionTtlMs: 2_000 });
    await bob.mutex('m').acquire();
    await etcd.admin.userDelete({ name: 'bob' });
    await expect(bob.mutex('n').acquire()).rejects.toThrow(/wrong user name or password/);
    await bob.close({ drainTimeoutMs: 0 });
    await etcd.user('bob2', { readwrite: ['bob/'] });
    const heir = await etcd.as('bob2', { namespace: 'bob' });
    await (await heir.mutex('m').acquire()).release();
  });
});

describe('authentication that is enabled under clients at work', () => {
  it('is an AuthError with a hint for those without a login, and no event for those with one; and it can be disabled', async () => {
    await using cluster = await Secured.start();
    await cluster.user('ann', { readwrite: ['ann/'] });
    await cluster.cluster.etcdctl('auth', 'disable');
    const anonymous = await cluster.connect({ namespace: 'ann' });
    const ann = await cluster.as('ann');
    const theirs = await anonymous.mutex('theirs').acquire();
    const ours = await ann.mutex('ours').acquire();
    const lost: Hold[] = [];
    for (const hold of [theirs, ours]) hold.signal.addEventListener('abort', () => lost.push(hold));
    const waiting = ann.mutex('ours').acquire();

    await cluster.enable();
    await expect(anonymous.mutex('m').acquire()).rejects.toThrow(
      /^txn on .*: the store wants a user name and password$/,
    );
    await expect(anonymous.store.watch('ann/k')[Symbol.asyncIterator]().next()).rejects.toThrow(AuthError);
    await expect(cluster.connect({ namespace: 'ann' })).rejects.toThrow(
      'the store wants a user name and password',
    );
    await ours.commit([]);
    await ours.release();
    await (await waiting).release();
    await ann.store.watch('ann/k')[Symbol.asyncIterator]().next();

    await cluster.cluster.etcdctl('auth', 'disable');
    await anonymous.mutex('m').run(() => {});
    await ann.mutex('m').run(() => {});
    expect(lost).toEqual([]);
    expect(theirs.isHeld()).toBe(true);
    await theirs.release();
  });
});
