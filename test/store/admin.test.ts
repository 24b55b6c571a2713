import { describe, expect, it } from 'vitest';

import { OutcomeUnknownError, UnavailableError, UnsupportedError } from '../../src/base/errors.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import type { Access, AdminMethod, ClusterMember } from '../../src/store/admin-calls.js';
import { prefix } from '../../src/store/operations.js';
import { Store } from '../../src/store/store.js';
import { type AdminTransport, TransportError } from '../../src/store/transport.js';
import { ManualRuntime } from './manual-runtime.js';
import { header, ScriptedTransport } from './scripted-transport.js';

type Ask = (store: Store) => Promise<unknown>;

/** Every method, with arguments that are right and, where there are any, some that are wrong. */
const rows: readonly (readonly [name: string, right: Ask, ...wrong: Ask[]])[] = [
  [
    'cluster.list',
    (store) => store.cluster.list(),
    (store) => store.cluster.list({ linearisable: true } as object),
    (store) => store.cluster.list({ timeoutMs: -1 }),
  ],
  [
    'cluster.add',
    (store) => store.cluster.add(['http://a:1']),
    (store) => store.cluster.add([]),
    (store) => store.cluster.add('http://a:1' as unknown as string[]),
    (store) => store.cluster.add(['a:1']),
    (store) => store.cluster.add(['http://a']),
    (store) => store.cluster.add(['http://a:1'], { isLerner: true } as object),
  ],
  [
    'cluster.promote',
    (store) => store.cluster.promote(1n),
    (store) => store.cluster.promote(0n),
    (store) => store.cluster.promote(1 as unknown as bigint),
  ],
  [
    'cluster.update',
    (store) => store.cluster.update(1n, ['http://a:1']),
    (store) => store.cluster.update(1n, []),
    (store) => store.cluster.update(-1n, ['http://a:1']),
  ],
  ['cluster.remove', (store) => store.cluster.remove(1n), (store) => store.cluster.remove(2n ** 64n)],
  ['cluster.sync', (store) => store.cluster.sync()],
  ['auth.enable', (store) => store.auth.enable()],
  ['auth.disable', (store) => store.auth.disable()],
  ['auth.status', (store) => store.auth.status()],
  [
    'auth.users.add',
    (store) => store.auth.users.add('u', { password: 'p' }),
    (store) => store.auth.users.add('', { password: 'p' }),
    (store) => store.auth.users.add('u', {}),
    (store) => store.auth.users.add('u', { password: '' }),
    (store) => store.auth.users.add('u', { password: 'p', noPassword: true }),
    (store) => store.auth.users.add('\ud800', { password: 'p' }),
  ],
  ['auth.users.remove', (store) => store.auth.users.remove('u'), (store) => store.auth.users.remove('')],
  ['auth.users.get', (store) => store.auth.users.get('u'), (store) => store.auth.users.get('')],
  ['auth.users.list', (store) => store.auth.users.list()],
  [
    'auth.users.changePassword',
    (store) => store.auth.users.changePassword('u', 'p'),
    (store) => store.auth.users.changePassword('u', ''),
  ],
  [
    'auth.users.grantRole',
    (store) => store.auth.users.grantRole('u', 'r'),
    (store) => store.auth.users.grantRole('u', ''),
  ],
  [
    'auth.users.revokeRole',
    (store) => store.auth.users.revokeRole('u', 'r'),
    (store) => store.auth.users.revokeRole('', 'r'),
  ],
  ['auth.roles.add', (store) => store.auth.roles.add('r'), (store) => store.auth.roles.add('')],
  ['auth.roles.remove', (store) => store.auth.roles.remove('r'), (store) => store.auth.roles.remove('')],
  ['auth.roles.get', (store) => store.auth.roles.get('r'), (store) => store.auth.roles.get('')],
  ['auth.roles.list', (store) => store.auth.roles.list()],
  [
    'auth.roles.grantPermission',
    (store) => store.auth.roles.grantPermission('r', 'k', 'read'),
    (store) => store.auth.roles.grantPermission('r', '', 'read'),
    (store) => store.auth.roles.grantPermission('r', 'k', 'Read' as Access),
  ],
  [
    'auth.roles.revokePermission',
    (store) => store.auth.roles.revokePermission('r', prefix('k')),
    (store) => store.auth.roles.revokePermission('r', ''),
  ],
  [
    'maintenance.status',
    (store) => store.maintenance.status(),
    (store) => store.maintenance.status({ endpoint: 'http://elsewhere:1' }),
  ],
  ['maintenance.alarms', (store) => store.maintenance.alarms()],
  [
    'maintenance.disarm',
    (store) => store.maintenance.disarm({ memberId: 1n, type: 'nospace' }),
    (store) => store.maintenance.disarm({ memberId: 1n, type: 'unknown' }),
    (store) => store.maintenance.disarm({ memberId: 0n, type: 'corrupt' }),
  ],
  [
    'maintenance.defragment',
    (store) => store.maintenance.defragment(),
    (store) => store.maintenance.defragment({ endpoint: 'http://elsewhere:1' }),
  ],
  [
    'maintenance.hash',
    (store) => store.maintenance.hash(),
    (store) => store.maintenance.hash({ revision: -1n }),
    (store) => store.maintenance.hash({ endpoint: 'http://elsewhere:1' }),
  ],
  [
    'maintenance.moveLeader',
    (store) => store.maintenance.moveLeader(1n),
    (store) => store.maintenance.moveLeader(0n),
    (store) => store.maintenance.moveLeader(1n, { endpoint: 'a' } as object),
  ],
  [
    'maintenance.snapshot',
    (store) => store.maintenance.snapshot('file'),
    (store) => store.maintenance.snapshot(''),
    (store) => store.maintenance.snapshot('file', { endpoint: 'http://elsewhere:1' }),
    (store) => store.maintenance.snapshot('file', { overwite: true } as object),
    (store) => store.maintenance.snapshot('file', { onProgress: 1 as unknown as () => void }),
  ],
];

const methods = rows.map(([name, right, ...wrong]) => ({ name, right, wrong }));

/** A request that somebody has to answer. */
interface Asked {
  readonly endpoint: string;
  readonly method: AdminMethod;
  readonly requireLeader: boolean;
}

/** An etcd of which the test says what it answers. */
class ScriptedCluster extends ScriptedTransport {
  readonly asked: Asked[] = [];
  readonly admitted: string[] = [];
  answer: (asked: Asked) => unknown = () => ({ header: header(1n) });
  readonly admin: AdminTransport = {
    unary: async (endpoint, method, _request, { requireLeader, signal }) => {
      const asked = { endpoint, method, requireLeader };
      this.asked.push(asked);
      const cancelled = new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(new TransportError('cancelled', 'by the caller'))),
      );
      return (await Promise.race([this.answer(asked), cancelled])) as never;
    },
    snapshot: async function* () {},
    admit: (endpoint) => {
      if (endpoint.includes('unusable')) throw new TypeError('unusable');
      this.admitted.push(endpoint);
    },
  };
}

function scripted(...endpoints: readonly string[]): {
  cluster: ScriptedCluster;
  store: Store;
  runtime: ManualRuntime;
} {
  const cluster = new ScriptedCluster(...endpoints);
  const runtime = new ManualRuntime();
  return { cluster, runtime, store: new Store(cluster, { runtime, timeoutMs: 10_000 }) };
}

describe.each(methods)('$name', ({ name, right, wrong }) => {
  it('is unsupported on the embedded engine, before its arguments are looked at', async () => {
    const runtime = new ManualRuntime();
    const store = new Store(new MemoryTransport(new Engine({ runtime })), { runtime });
    for (const call of [right, ...wrong]) {
      const refused = call(store);
      await expect(refused).rejects.toBeInstanceOf(UnsupportedError);
      await expect(refused).rejects.toThrow(`${name}: the embedded engine has no members`);
    }
    await store.close();
  });
});

describe.each(methods.filter(({ wrong }) => wrong.length > 0))('$name', ({ wrong }) => {
  it('refuses wrong arguments before it sends anything', async () => {
    const { cluster, store } = scripted('http://a:1');
    for (const call of wrong) {
      const error = await failure(call(store));
      expect(error instanceof TypeError || error instanceof RangeError, String(error)).toBe(true);
    }
    expect(cluster.asked).toEqual([]);
  });
});

const changing = /add|remove|promote|update|enable|disable|change|grant|revoke|disarm|defragment/;

describe('a change', () => {
  it.each(methods.filter(({ name }) => changing.test(name)))(
    '$name whose answer is lost ends unknown, and is not sent again',
    async ({ right }) => {
      const { cluster, store } = scripted('http://a:1', 'http://b:1');
      cluster.answer = () => {
        throw new TransportError('unavailable', 'connection lost');
      };
      expect(await failure(right(store))).toBeInstanceOf(OutcomeUnknownError);
      expect(cluster.asked).toHaveLength(1);
    },
  );
});

describe('defragment', () => {
  it('takes as long as it takes, and goes to one member, also with options that say nothing', async () => {
    const { cluster, store, runtime } = scripted('http://a:1', 'http://b:1');
    let finish: (answer: unknown) => void = () => {};
    cluster.answer = () => new Promise((resolve) => (finish = resolve));
    const done = store.maintenance.defragment({ timeoutMs: undefined, endpoint: undefined });
    await runtime.advance(3_600_000);
    finish({});
    await done;
    expect(cluster.asked).toHaveLength(1);
  });
});

describe('a question', () => {
  it('that one member does not answer goes to the next', async () => {
    const { cluster, store, runtime } = scripted('http://a:1', 'http://b:1');
    cluster.answer = ({ endpoint }) => {
      if (endpoint === 'http://a:1') throw new TransportError('unavailable', 'connection lost');
      return { header: header(1n), users: ['u'] };
    };
    const listing = store.auth.users.list();
    await runtime.advance(10);
    expect(await listing).toMatchObject({ users: ['u'] });
    expect(cluster.asked.map(({ endpoint }) => endpoint)).toEqual(['http://a:1', 'http://b:1']);
  });

  it('to one member is not asked of another', async () => {
    const { cluster, store, runtime } = scripted('http://a:1', 'http://b:1');
    cluster.answer = () => {
      throw new TransportError('unavailable', 'connection lost', { neverSent: true });
    };
    runtime.chance = 0.9;
    const status = failure(store.maintenance.status({ endpoint: 'http://b:1', timeoutMs: 100 }));
    await runtime.advance(200);
    expect(await status).toBeInstanceOf(UnavailableError);
    expect(String(await status)).toMatch(/tried http:..b:1 for 100 ms/);
    expect(new Set(cluster.asked.map(({ endpoint }) => endpoint))).toEqual(new Set(['http://b:1']));
  });

  it('about one member is answered by one that knows no leader', async () => {
    const { cluster, store } = scripted('http://a:1');
    await store.maintenance.status();
    await store.maintenance.hash();
    await store.cluster.list({ linearizable: false });
    await store.cluster.list();
    expect(cluster.asked.map(({ requireLeader }) => requireLeader)).toEqual([false, false, false, true]);
  });

  it('ends with its signal, by the reason', async () => {
    const { cluster, store } = scripted('http://a:1');
    cluster.answer = () => new Promise(() => {});
    const stop = new AbortController();
    const status = failure(store.maintenance.status({ signal: stop.signal }));
    stop.abort(new Error('enough'));
    expect(await status).toEqual(new Error('enough'));
  });
});

describe('moveLeader', () => {
  it('asks the leader, and looks for it again when it has changed meanwhile', async () => {
    const { cluster, store, runtime } = scripted('http://a:1', 'http://b:1');
    let leader = 'http://a:1';
    cluster.answer = ({ endpoint, method }) => {
      if (method === 'memberStatus')
        return { header: { ...header(1n), memberId: endpoint === leader ? 1n : 2n }, leader: 1n };
      if (endpoint === leader && leader === 'http://b:1') return {};
      leader = 'http://b:1';
      throw new TransportError('failed-precondition', 'etcdserver: not leader');
    };
    const moved = store.maintenance.moveLeader(2n);
    await runtime.advance(500);
    await moved;
    const moves = cluster.asked.filter(({ method }) => method === 'moveLeader');
    expect(moves.map(({ endpoint }) => endpoint)).toEqual(['http://a:1', 'http://b:1']);
  });
});

describe('sync', () => {
  const member = (id: bigint, ...clientUrls: readonly string[]): ClusterMember => {
    return { id, name: `m${id}`, peerUrls: [], clientUrls, isLearner: false };
  };

  function synced(
    members: readonly ClusterMember[],
    silent: readonly string[] = [],
  ): ReturnType<typeof scripted> {
    const all = scripted('http://a:1');
    all.cluster.answer = ({ endpoint, method }) => {
      if (method === 'memberList') return { header: header(0n), members };
      if (silent.includes(endpoint)) return new Promise(() => {});
      return { header: header(1n) };
    };
    return all;
  }

  it('never uses learners, and members that have not started', async () => {
    const { store } = synced([
      member(1n, 'http://b:1', 'http://b:2'),
      { ...member(2n, 'http://c:1'), isLearner: true },
      { ...member(3n, 'http://d:1'), name: '' },
    ]);
    const { endpoints } = await store.cluster.sync();
    expect([endpoints, store.endpoints]).toEqual([
      ['http://b:1', 'http://b:2'],
      ['http://b:1', 'http://b:2'],
    ]);
    expect(store.endpoints).toContain(store.endpoint);
  });

  it('keeps a member that is down, if another one answers', async () => {
    const { store, runtime } = synced([member(1n, 'http://b:1'), member(2n, 'http://c:1')], ['http://b:1']);
    const syncing = store.cluster.sync();
    await runtime.advance(2_000);
    expect(await syncing).toMatchObject({ endpoints: ['http://b:1', 'http://c:1'], ignored: [] });
  });

  it('changes nothing when nobody answers, or nothing is advertised', async () => {
    const { store, runtime } = synced([member(1n, 'http://b:1')], ['http://b:1']);
    const syncing = store.cluster.sync();
    await runtime.advance(2_000);
    expect(await syncing).toMatchObject({
      endpoints: ['http://a:1'],
      ignored: [{ endpoint: 'http://b:1', reason: 'no-answer' }],
    });
    const empty = synced([]);
    expect(await empty.store.cluster.sync()).toMatchObject({ endpoints: ['http://a:1'], ignored: [] });
  });

  it('does not go over to another scheme, or to what is no address', async () => {
    const { store } = synced([member(1n, 'https://b:1', 'http://unusable:1', 'http://c:1')]);
    expect(await store.cluster.sync()).toMatchObject({
      endpoints: ['http://c:1'],
      ignored: [
        { endpoint: 'https://b:1', reason: 'other-scheme' },
        { endpoint: 'http://unusable:1', reason: 'unusable' },
      ],
    });
  });
});

it('has nothing that await would take for a promise', async () => {
  const { store } = scripted('http://a:1');
  const { cluster, auth, maintenance } = store;
  for (const each of [cluster, auth, auth.users, auth.roles, maintenance, await maintenance.status()])
    expect(each).not.toHaveProperty('then');
});

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
}
