import { describe, expect, it } from 'vitest';
import { type Conclave, toText } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';

/** What a program of a later format may have written there. */
const later = JSON.stringify({ v: 2, holder: { name: 'later', host: 'h', pid: 1, ns: 'conclave' } });
const ticket = '7d3a5c90b1e4f-1';
/** Of the error: which format was found, and which this version reads. */
const both = {
  code: 'CONFLICT',
  message: expect.stringContaining('(format 2; this one reads 1): update this program') as string,
};

/** Puts it at `key`, and gives what becomes of `work` to `check`; then nothing of it is left. */
async function planted(
  key: string,
  work: (client: Conclave, world: World) => Promise<unknown>,
  value = later,
): Promise<unknown> {
  await using world = await World.open();
  const client = await world.client();
  await world.store.put(key, value);
  const result = await world.run(outcome(work(client, world)));
  await world.store.remove(key);
  await world.settle();
  return result;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('what a newer version has written', () => {
  it('keeps its place in the line of a mutex: order alone counts there', async () => {
    const waited = await planted(`conclave/lock/m/${ticket}`, (client) =>
      client.mutex('m').acquire({ timeoutMs: 1_000 }),
    );
    expect(waited).toMatchObject({ code: 'WAIT_TIMEOUT' });
  });

  it('is not described to who inspects a mutex, or several', async () => {
    const key = `conclave/lock/m/${ticket}`;
    expect(await planted(key, (client) => client.mutex('m').inspect())).toMatchObject(both);
    expect(await planted(key, (client) => client.multiLock(['m', 'n']).inspect())).toMatchObject(both);
  });

  it('makes list reject, which would have to describe it', async () => {
    const listed = await planted(`conclave/lock/m/${ticket}`, (client) => all(client.list()));
    expect(listed).toMatchObject(both);
  });

  it('lets no reader pass, since nobody knows whether it reads; a writer waits behind it', async () => {
    const key = `conclave/rw/l/${ticket}`;
    expect(await planted(key, (client) => client.rwLock('l').read.acquire())).toMatchObject(both);
    expect(await planted(key, (client) => client.rwLock('l').inspect())).toMatchObject(both);
    const writer = await planted(key, (client) => client.rwLock('l').write.acquire({ timeoutMs: 1_000 }));
    expect(writer).toMatchObject({ code: 'WAIT_TIMEOUT' });
  });

  it('lets nobody take permits behind it, since nobody knows how many it takes', async () => {
    const acquired = await planted(`conclave/semaphore/s/t/${ticket}`, (client) =>
      client.semaphore('s', { limit: 5 }).acquire(),
    );
    expect(acquired).toMatchObject(both);
  });

  it('leads an election if it stands first there, and others wait for it', async () => {
    const campaigned = await planted(`conclave/election/e/${ticket}`, (client) =>
      client.election('e').campaign('x', { timeoutMs: 1_000 }),
    );
    expect(campaigned).toMatchObject({ code: 'WAIT_TIMEOUT' });
  });

  it('keeps a gate closed, and anybody can open it', async () => {
    const passed = await planted('conclave/gate/g', async (client, world) => {
      const closed = await outcome(client.gate('g').wait({ timeoutMs: 0 }));
      await client.gate('g').open();
      await world.run(client.gate('g').wait());
      return closed;
    });
    expect(passed).toMatchObject({ code: 'WAIT_TIMEOUT' });
  });

  it('is no party of a barrier of this version: who comes after it is refused', async () => {
    for (const folder of ['cyclic-barrier', 'double-barrier']) {
      const met = await planted(`conclave/${folder}/b/in/${ticket}`, (client, world) => {
        world.allowKeys(`conclave/${folder}/b/left`); // removed with the last ticket, which is not ours to remove
        return folder === 'cyclic-barrier'
          ? client.cyclicBarrier('b', { parties: 2 }).wait()
          : client.doubleBarrier('b', { parties: 2 }).enter();
      });
      expect(met).toMatchObject({ code: 'CONFLICT' });
    }
  });

  it('is a job that is given back, for workers that can read it', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', { id: 'new' });
    await world.store.put('conclave/queue/q/job/new', JSON.stringify({ v: 2, value: 'x' }));

    const received = await world.run(outcome(queue.receive()));

    expect(received).toMatchObject(both);
    await world.advance(1_000);
    expect(await queue.inspect()).toMatchObject({ ready: 1, running: [], dead: 0 });
  });

  it('is a job that a worker reports, and it goes on with the others', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', { id: 'new' });
    await world.store.put('conclave/queue/q/job/new', JSON.stringify({ v: 2, value: 'x' }));
    await queue.enqueue('y', { id: 'old' });
    const stop = new AbortController();
    const [done, errors]: [unknown[], unknown[]] = [[], []];
    const working = queue.work(({ value }) => void done.push(value), {
      signal: stop.signal,
      onError: (error) => errors.push(error),
    });
    await world.advance(5_000);

    expect(done).toEqual(['y']);
    expect(errors[0]).toMatchObject(both);
    stop.abort();
    await world.run(working);
  });

  it('is a schedule that is reported instead of listed, and not fired, or a dead letter that is listed with the reason', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    const key = 'conclave/queue/q/schedule/nightly';
    await queue.schedule('nightly', { everyMs: 3_600_000 }, 'of later');
    const { kvs } = await world.store.get(key);
    await world.store.put(key, toText(kvs[0]!.value).replace('"v":1', '"v":2'));
    await queue.schedule('hourly', { everyMs: 3_600_000 }, 'of now');
    await world.advance(3_700_000);
    expect(await queue.inspect()).toMatchObject({ ready: 1 });
    expect(await outcome(queue.schedules())).toMatchObject(both);
    const dead = await planted('conclave/queue/q/dead/x', (client) =>
      all(client.queue('q').deadLetters.list()),
    );
    const error = expect.stringContaining('format 2; this one reads 1') as string;
    expect(dead).toMatchObject([{ id: 'x', error }]);
  });

  it('is a member that is told apart as unreadable, and takes nothing from the others', async () => {
    const roll = await planted(`conclave/group/g/new/${ticket}`, async (client) => {
      await client.group('g').join('here', { id: 'old' });
      return client.group('g').members();
    });
    expect(roll).toMatchObject({ members: [{ id: 'old' }], unreadable: [{ id: 'new', error: both }] });
  });

  it('is a plan of shards that nobody of this version follows', async () => {
    const ran = await planted('conclave/shards/g', (client) =>
      client
        .group('g')
        .shards(4)
        .run(async () => {}),
    );
    expect(ran).toMatchObject(both);
  });
});

it('what is written by the same format is read, whatever else it says', async () => {
  const value = JSON.stringify({ ...(JSON.parse(later) as object), v: 1, colour: 'red' });
  const seen = await planted(`conclave/lock/m/${ticket}`, (client) => client.mutex('m').inspect(), value);
  expect(seen).toMatchObject({ holder: { holder: { name: 'later' } } });
});
