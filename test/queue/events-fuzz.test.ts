import { expect, it } from 'vitest';
import { type Conclave, type JobEnd, type QueueEvent } from '../../src/index.js';
import { World } from '../../src/testing/world.js';

const jobs = 12;
const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

/** What may be told of one job, in order. */
const story =
  /^enqueued( started( progress)*( cancelling)?( progress)* (returned|retrying|crashed))*( cancelled| started( progress)*( cancelling)?( progress)* (completed|dead|cancelled))$/;

it.each(seeds)(
  'events tell the whole story of every job, whatever goes wrong, and end as waitFor says (seed %d)',
  async (seed) => {
    await using world = await World.open({ seed });
    const onlooker = await world.client();
    const producer = await world.client();
    const told: QueueEvent[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const event of onlooker.queue('q').events({ signal: stop.signal })) told.push(event);
    })().catch(() => {});
    await world.settle();

    let random = seed * 7_919;
    const draw = (below: number): number => {
      random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((random / 2_147_483_648) * below);
    };
    /** What lets handlers go on. */
    const atWork: (() => void)[] = [];
    let isSlow = true;
    const workers: Conclave[] = [];
    const hire = async (): Promise<void> => {
      const worker = await world.client({ sessionTtlMs: 3_000 });
      workers.push(worker);
      void worker
        .queue('q', { maxCrashes: 2 })
        .work(
          async (delivery) => {
            const fate = draw(5);
            // As long as it takes.
            if (isSlow && draw(2) === 0) await new Promise<void>((resolve) => atWork.push(resolve));
            if (fate === 0) await delivery.progress(fate);
            if (fate === 1) throw new Error('no');
            if (fate === 2) return delivery.release();
            return fate;
          },
          { concurrency: 2 },
        )
        .catch(() => {});
    };
    for (let i = 0; i < 3; i++) await hire();
    const queue = producer.queue('q', { attempts: 3, backoff: { minMs: 100 } });
    const ids = Array.from({ length: jobs }, (_, i) => `j${i}`);
    const ends: Promise<JobEnd>[] = [];
    for (const id of ids) {
      const putting = queue.enqueue(id, { id });
      await world.run(putting);
      ends.push(queue.waitFor(id));
      const victim = workers[draw(workers.length)]!;
      switch (draw(7)) {
        case 0:
          world.crash(victim);
          workers.splice(workers.indexOf(victim), 1);
          await hire();
          break;
        case 1:
          world.dropReply(victim, { method: 'txn' });
          break;
        case 2:
          world.breakStreams(onlooker, 'watch');
          world.breakStreams(producer, 'watch');
          await world.advance(2_000); // or a compaction may come first: then something is missed
          break;
        case 3:
          world.partition(victim);
          break;
        case 4:
          void queue.cancel(ids[draw(ids.length)]!).catch(() => {});
          break;
        case 5:
          world.compact();
          break;
      }
      await world.advance(draw(1_500));
      world.heal(victim);
      if (draw(3) === 0) for (const goOn of atWork.splice(0)) goOn();
    }
    isSlow = false;
    for (const goOn of atWork.splice(0)) goOn();
    const all = await world.run(Promise.all(ends), { limitMs: 600_000 });
    await world.advance(10_000);
    stop.abort();
    await reading;

    expect(told.filter(({ kind }) => kind === 'missed')).toEqual([]);
    ids.forEach((id, i) => {
      const kinds = told.flatMap((event) => ('id' in event && event.id === id ? [event.kind] : []));
      expect(kinds.join(' ')).toMatch(story);
      expect(kinds.at(-1)).toBe(all[i]?.state);
    });
    const revisions = told.map(({ revision }) => revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  },
);
