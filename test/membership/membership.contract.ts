import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { type Conclave, type Hold, prefix } from '../../src/index.js';
import { outcome } from '../lock/observe.js';
import { Stage } from '../lock/stage.js';
import { patience } from '../rig/patience.js';
import type { Backend } from '../store/contract.js';
import { Watcher } from './watcher.js';

/** What groups and shards promise, whatever they run on. */
export function membershipContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);
  const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, patience);

  describe('a group', () => {
    it('has whoever joins, until they leave', async () => {
      const name = `a/${randomUUID()}`;
      const member = await stage.one.group(name).join('here', { id: 'a/b' });
      const second = await stage.other.group(name).join('there');
      expect((await stage.other.group(name).members()).members).toMatchObject([
        { id: 'a/b', value: 'here', fencingToken: member.fencingToken },
        { id: second.id, value: 'there' },
      ]);
      await Promise.all([member.leave(), second.leave()]);
      expect((await stage.one.group(name).members()).members).toEqual([]);
      expect(await stage.keysBelow(`conclave/group/${encodeURIComponent(name)}/`)).toEqual([]);
    });

    it('has one member of an id at a time', async () => {
      const name = randomUUID();
      const first = await stage.one.group(name).join('1', { id: 'a' });
      const refused = stage.other.group(name).join('2', { id: 'a', timeoutMs: 0 });
      expect(await outcome(refused)).toMatchObject({ code: 'WAIT_TIMEOUT' });
      const next = stage.other.group(name).join('3', { id: 'a' });
      await first.leave();
      const second = await next;
      expect(second.fencingToken).toBeGreaterThan(first.fencingToken ?? 0n);
      expect((await stage.one.group(name).members()).members.map(({ value }) => value)).toEqual(['3']);
      await second.leave();
    });

    it('tells whoever watches of all who come, change and go, in order', async () => {
      const name = randomUUID();
      const watcher = new Watcher(stage.other.group(name));
      await until(() => expect(watcher.story).toEqual(['']));
      const a = await stage.one.group(name).join('1', { id: 'a' });
      const b = await stage.another().group(name).join('2', { id: 'b' });
      await a.update('3');
      await b.leave();
      await a.leave();
      await until(() => expect(watcher.story).toEqual(['', '+a=1', '+b=2', '~a=3', '-b', '-a']));
      expect(await watcher.stop()).toBe('enough');
    });

    it('has values as a schema describes them', async () => {
      const name = randomUUID();
      const schema = z.object({ port: z.number() });
      const member = await stage.one.group(name, { schema }).join({ port: 80 });
      const bad = member.update({ port: '80' } as never);
      expect(await outcome(bad)).toMatchObject({ code: 'INVALID_VALUE' });
      await member.update({ port: 81 });
      const { members } = await stage.other.group(name, { schema }).members();
      expect(members.map(({ value }) => value.port)).toEqual([81]);
      await member.leave();
    });

    it('has a member whose session is lost again, under a new token and with its latest value', async () => {
      const name = randomUUID();
      const client = stage.another();
      const member = await client.group(name).join('1', { id: 'a' });
      const token = member.fencingToken ?? 0n;
      await member.update('2');
      const { kvs } = await stage.one.store.get(prefix(`conclave/group/${name}/`));
      await stage.one.store.lease.revoke(kvs[0]?.lease ?? 0n);
      await until(() => expect(member.fencingToken).toBeGreaterThan(token));
      expect((await stage.one.group(name).members()).members).toMatchObject([{ id: 'a', value: '2' }]);
      await member.leave();
    });
  });

  describe('shards', () => {
    it('are all owned, evenly, by those who take part, and handed over in order', async () => {
      const name = randomUUID();
      const running = new Map<number, Hold[]>();
      const start = (client: Conclave): { owned: Set<number>; stop: () => Promise<void> } => {
        const stop = new AbortController();
        const owned = new Set<number>();
        const work = async (shard: number, hold: Hold): Promise<void> => {
          const others = running.get(shard) ?? [];
          running.set(shard, [...others, hold]);
          expect(others.filter((other) => other.isHeld())).toEqual([]);
          expect(others.every((other) => other.fencingToken < hold.fencingToken)).toBe(true);
          owned.add(shard);
          await new Promise<void>((resolve) => hold.signal.addEventListener('abort', () => resolve()));
          owned.delete(shard);
        };
        const ended = client.group(name).shards(7).run(work, { signal: stop.signal });
        return { owned, stop: () => (stop.abort(), ended) };
      };
      const one = start(stage.one);
      await until(() => expect(one.owned.size).toBe(7));
      const two = start(stage.other);
      await until(() => expect([one.owned.size, two.owned.size].sort()).toEqual([3, 4]));
      const kept = [...one.owned];
      const { shards } = await stage.other.group(name).shards(7).inspect();
      expect(shards.filter(({ owner }) => owner === undefined)).toEqual([]);
      expect(kept.every((shard) => running.get(shard)?.length === 1)).toBe(true);
      await one.stop();
      await until(() => expect(two.owned.size).toBe(7));
      await two.stop();
      expect((await stage.one.group(name).members()).members).toEqual([]);
      expect(await stage.keysBelow(`conclave/lock/${name}`)).toEqual([]);
    });

    it('are refused to a program that names another number of them', async () => {
      const name = randomUUID();
      const stop = new AbortController();
      let owned = 0;
      const running = stage.one
        .group(name)
        .shards(2)
        .run(
          async (_, { signal }) => {
            owned++;
            await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          },
          { signal: stop.signal },
        );
      await until(() => expect(owned).toBe(2));
      const refused = stage.other
        .group(name)
        .shards(3)
        .run(() => {});
      expect(await outcome(refused)).toMatchObject({ code: 'CONFLICT' });
      stop.abort();
      await running;
    });
  });
}
