import { describe, expect, it } from 'vitest';
import { put } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { limits } from './limits.js';
import { Reader } from './reader.js';

const at = 'conclave/config/s/';
const good = (rate: number): string => JSON.stringify({ rate });

describe('live settings', () => {
  it('keep the last good value of one that went bad, but not of one that was deleted and put again', async () => {
    await using world = await World.open();
    const client = await world.client();
    const settings = client.settings('s', { schema: limits });
    await world.store.txn({ then: [put(`${at}a`, good(1)), put(`${at}b`, good(1))] });
    await settings.ready();
    const a = settings.current.get('a');

    await world.store.txn({ then: [put(`${at}a`, 'bad'), put(`${at}b`, good(2))] });
    await world.settle();
    expect(settings.current.get('a')).toBe(a);
    expect(settings.current.get('b')?.rate).toBe(2);

    await world.store.remove(`${at}a`);
    await world.store.put(`${at}a`, 'bad again');
    await world.settle();
    expect([...settings.current.keys()]).toEqual(['b']);
    const late = new Reader((options) => settings.errors(options));
    await world.settle();
    expect(late.seen).toMatchObject([{ storedAt: { key: `${at}a` } }]);
    await late.stop();

    // The same, if nobody sees that it is gone.
    world.partition(client, { refuses: true });
    await world.store.remove(`${at}b`);
    await world.store.put(`${at}b`, 'bad');
    await world.store.put('elsewhere', '');
    world.compact();
    world.heal(client);
    await world.advance(5_000);
    expect([...settings.current.keys()]).toEqual([]);
  });

  it('tell of each bad value once, also over compactions, and of nothing that has not changed', async () => {
    await using world = await World.open();
    const client = await world.client();
    const settings = client.settings('s', { schema: limits });
    await world.store.put(`${at}a`, 'bad');
    const problems = new Reader((options) => settings.errors(options));
    const changes = new Reader((options) => settings.changes(options));
    await world.settle();
    world.compactUnderWatches(client);
    await world.advance(5_000);
    await world.store.put(`${at}b`, good(1));
    await world.store.put(`${at}b`, good(1));
    await world.store.put(`${at}c`, 'bad');
    await world.settle();

    expect(problems.seen.map(({ storedAt }) => storedAt?.key)).toEqual([`${at}a`, `${at}c`]);
    expect(changes.seen.map(({ changed }) => changed)).toEqual([[], ['b']]);
    await Promise.all([problems.stop(), changes.stop()]);
  });

  it('tell a slow reader how they differ from what it was told last', async () => {
    await using world = await World.open();
    const settings = (await world.client()).settings<number>('s');
    await settings.set('gone', 0);
    const slow = settings.changes();
    expect((await slow.next()).value).toMatchObject({ changed: ['gone'], removed: [] });
    await settings.delete('gone');
    for (let i = 0; i < 100; i++) await settings.set('a', i);
    await settings.set('b', 1);
    await world.settle();
    const { value } = await slow.next();
    expect(value).toMatchObject({ changed: ['a'], removed: ['gone'] });
    for await (const { changed, settings: all } of slow)
      if (changed.includes('b')) {
        expect([...all]).toEqual([
          ['a', 99],
          ['b', 1],
        ]);
        break;
      }
  });

  it('are followed by one read and one watch, and written under the same guards as a value', async () => {
    await using world = await World.open();
    const client = await world.client();
    const settings = client.settings<number>('s');
    await Promise.all([settings.ready(), settings.ready(), settings.changes().next()]);
    expect(world.calls(client).map(({ method }) => method)).toEqual(['get', 'watch']);
    await settings.set('a', 1);
    expect(settings.current.get('a')).toBe(1);
    world.lagWatches(client, 1_000);
    await world.store.put(`${at}a`, '2');
    await expect(settings.set('a', 3)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(settings.delete('a')).rejects.toMatchObject({ code: 'CONFLICT' });
    await world.advance(2_000);
    await world.run(settings.delete('a'));
    await world.run(settings.delete('a'));
    expect(settings.current.size).toBe(0);
  });
});
