import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuthError, ClosedError, CompactedError, type ConclaveError } from '../../src/base/errors.js';
import { Endpoints } from '../../src/store/endpoints.js';
import { toRange } from '../../src/store/operations.js';
import type { StoreEvent } from '../../src/store/results.js';
import type { Watch } from '../../src/store/watch.js';
import { WatchHub } from '../../src/store/watch-hub.js';
import { TransportError } from '../../src/store/transport.js';
import { ManualRuntime } from './manual-runtime.js';
import { header, neverSent, put, ScriptedTransport, type WatchStream } from './scripted-transport.js';

let runtime: ManualRuntime;
let transport: ScriptedTransport;
let endpoints: Endpoints;
let hub: WatchHub;

beforeEach(() => {
  runtime = new ManualRuntime();
  transport = new ScriptedTransport('a', 'b', 'c');
  endpoints = new Endpoints(runtime, transport.endpoints);
  hub = new WatchHub(transport, runtime, endpoints, 1_000);
});

afterEach(() => {
  hub.close();
  expect(runtime.pendingTimers, 'timers left').toBe(0);
  expect(
    transport.watchStreams.every(({ isClosed }) => isClosed),
    'streams left',
  ).toBe(true);
});

const stream = (): WatchStream => transport.watchStreams.at(-1)!;
const asked = (): string[] => transport.watchStreams.map(({ endpoint }) => endpoint);

interface Seen {
  readonly watch: Watch;
  readonly log: (string | bigint)[];
  readonly events: StoreEvent[];
  error?: ConclaveError;
  onEvents: () => void;
  onEnded: () => void;
  onProgress: () => void;
  onCreated: () => void;
}

function watch(key: string, startRevision = 0n): Seen {
  const seen: Omit<Seen, 'watch'> & { watch?: Watch } = {
    log: [],
    events: [],
    onEvents: () => {},
    onEnded: () => {},
    onProgress: () => {},
    onCreated: () => {},
  };
  seen.watch = hub.open(
    { range: toRange(key), startRevision, prevKv: false, exclude: [] },
    {
      created: (revision) => {
        seen.log.push(`created ${revision}`);
        seen.onCreated();
      },
      events: (revision, events) => {
        seen.log.push(revision);
        seen.events.push(...events);
        seen.onEvents();
      },
      progress: (revision) => {
        seen.log.push(`progress ${revision}`);
        seen.onProgress();
      },
      ended: (error) => {
        seen.log.push('ended');
        seen.error = error;
        seen.onEnded();
      },
    },
  );
  return seen as Seen;
}

/** The next stream, after the present one has broken. */
async function brokenAndBack(): Promise<void> {
  stream().end();
  await runtime.advance(0);
}

const startOf = (key: string): bigint | undefined =>
  stream().creates.findLast(({ watchId }) => watchId === stream().idOf(key))?.startRevision;

describe('a watch', () => {
  it('is never called from inside open', () => {
    expect(watch('k').log).toEqual([]);
  });

  it('resumes after the last event, never after a header or a sign of life', async () => {
    const { log } = watch('k');
    stream().created('k', 10n);
    stream().puts('k', 12n);
    stream().say({ header: header(90n) });
    stream().say({ watchId: stream().idOf('k'), header: header(95n) });
    await brokenAndBack();
    expect(startOf('k')).toBe(13n);
    stream().created('k', 99n);
    await brokenAndBack();
    expect(startOf('k')).toBe(13n);
    expect(log).toEqual(['created 10', 12n, 'progress 90']);
    expect(asked()).toEqual(['a', 'b', 'c']);
  });

  it('from now resumes after the revision it was created at', async () => {
    const { watch: opened } = watch('k');
    expect([startOf('k'), opened.nextRevision]).toEqual([0n, 0n]);
    await brokenAndBack();
    expect(startOf('k'), 'the store has not answered').toBe(0n);
    stream().created('k', 10n);
    await brokenAndBack();
    expect([startOf('k'), opened.nextRevision]).toEqual([11n, 11n]);
  });

  it('from a revision resumes there as long as nothing came, whatever the member has', async () => {
    watch('k', 5n);
    stream().created('k', 10n);
    await brokenAndBack();
    expect(startOf('k')).toBe(5n);
  });

  it('is told that it was created once', async () => {
    const { log } = watch('k');
    await brokenAndBack();
    stream().created('k', 10n);
    await brokenAndBack();
    stream().created('k', 12n);
    expect(log).toEqual(['created 10']);
  });

  it('sees whole revisions: fragments are merged', () => {
    const { log, events } = watch('k');
    stream().created('k', 10n);
    const watchId = stream().idOf('k');
    stream().say({ watchId, fragment: true, events: [put('k1', 11n), put('k2', 11n)] });
    stream().say({ watchId, fragment: true, events: [put('k3', 11n)] });
    expect(log).toEqual(['created 10']);
    stream().say({ watchId, events: [put('k4', 11n), put('k1', 12n)] });
    expect(log).toEqual(['created 10', 11n, 12n]);
    expect(events).toHaveLength(5);
  });

  it('forgets fragments whose rest never came, and gets the revision whole from the next stream', async () => {
    const { log, events } = watch('k');
    stream().created('k', 10n);
    stream().say({ watchId: stream().idOf('k'), fragment: true, events: [put('k1', 11n)] });
    await brokenAndBack();
    expect(startOf('k')).toBe(11n);
    stream().say({ watchId: stream().idOf('k'), events: [put('k1', 11n), put('k2', 11n)] });
    expect(log).toEqual(['created 10', 11n]);
    expect(events).toHaveLength(2);
  });

  it('sees several revisions of one message one by one', () => {
    const { log } = watch('k');
    stream().created('k', 10n);
    stream().puts('k', 11n, 11n, 12n, 15n);
    expect(log).toEqual(['created 10', 11n, 12n, 15n]);
  });

  it('does not see again what it has seen, nor what came before its start', async () => {
    const { log } = watch('k');
    stream().created('k', 10n);
    stream().puts('k', 10n, 11n);
    await brokenAndBack();
    stream().created('k', 12n);
    stream().puts('k', 9n, 10n, 11n, 12n);
    stream().puts('k', 12n);
    expect(log).toEqual(['created 10', 11n, 12n]);
  });

  it('does not hear an old stream, nor an old life of itself', async () => {
    const { log } = watch('k');
    const old = stream();
    old.created('k', 10n);
    old.end();
    await runtime.advance(0);
    old.puts('k', 11n);
    old.end();
    old.refuse('late');
    stream().created('k', 10n);
    stream().say({ watchId: old.idOf('k'), events: [put('k', 12n)] });
    stream().say({ watchId: old.idOf('k'), canceled: true, compactRevision: 99n });
    old.say({ header: header(50n) });
    expect(log).toEqual(['created 10']);
    stream().puts('k', 13n);
    expect(log).toEqual(['created 10', 13n]);
    await runtime.advance(0);
    expect(asked()).toEqual(['a', 'b']);
    expect(stream().idOf('k')).not.toBe(old.idOf('k'));
  });

  it('ends with CompactedError if what it should see is gone', () => {
    const [gone, other] = [watch('k', 3n), watch('other')];
    stream().say({ watchId: stream().idOf('k'), canceled: true, compactRevision: 20n });
    expect(gone.error).toBeInstanceOf(CompactedError);
    expect(gone.error).toMatchObject({ compactRevision: 20n });
    stream().created('other', 30n);
    stream().puts('k', 31n);
    expect([gone.log, other.log]).toEqual([['ended'], ['created 30']]);
    expect(asked()).toEqual(['a']);
  });

  it('that is cancelled tells the server, and hears nothing any more', () => {
    const [one, other] = [watch('k'), watch('other')];
    const watchId = stream().idOf('k');
    one.watch.cancel();
    one.watch.cancel();
    expect(stream().commands.filter(({ kind }) => kind === 'cancel')).toEqual([{ kind: 'cancel', watchId }]);
    stream().created('k', 10n);
    stream().puts('k', 11n);
    stream().say({ watchId, canceled: true });
    stream().say({});
    hub.close();
    expect(one.log).toEqual([]);
    expect(other.log).toEqual(['ended']);
  });

  it('that cancels itself at an event does not see the rest of the message, and knows where to go on', () => {
    const seen = watch('k');
    stream().created('k', 10n);
    seen.onEvents = () => seen.watch.cancel();
    stream().puts('k', 11n, 12n);
    expect(seen.log).toEqual(['created 10', 11n]);
    expect(seen.watch.nextRevision).toBe(12n);
  });

  it('that cancels itself when created sees no event', () => {
    const seen = watch('k');
    seen.onCreated = () => seen.watch.cancel();
    stream().say({ watchId: stream().idOf('k'), created: true, header: header(9n), events: [put('k', 10n)] });
    expect(seen.log).toEqual(['created 9']);
  });

  it('hears no sign of life before it was created', () => {
    const { log } = watch('k');
    stream().say({ header: header(7n) });
    stream().created('k', 7n);
    stream().say({ header: header(8n) });
    expect(log).toEqual(['created 7', 'progress 8']);
  });
});

describe('a stream', () => {
  it('carries all watches, and is closed with its timers when the last has gone', () => {
    const [one, two] = [watch('one'), watch('two')];
    expect(asked()).toEqual(['a']);
    one.watch.cancel();
    expect(stream().isClosed).toBe(false);
    two.watch.cancel();
    expect(stream().isClosed).toBe(true);
    expect(runtime.pendingTimers).toBe(0);
    watch('three');
    expect(asked()).toEqual(['a', 'a']);
  });

  it('is not opened any more for watches that were cancelled meanwhile', async () => {
    runtime.chance = 0.999;
    const one = watch('one');
    stream().end();
    one.watch.cancel();
    expect(runtime.pendingTimers).toBe(0);
    const two = watch('two');
    expect(asked(), 'a new watch does not wait for an old pause').toEqual(['a', 'b']);
    two.watch.cancel();
  });

  it('that ends is replaced on another endpoint, after a pause that grows and stays under a second', async () => {
    runtime.chance = 0.5;
    watch('k');
    for (const pauseMs of [20, 40, 80, 160, 320, 500, 500]) {
      const count = asked().length;
      stream().end();
      await runtime.advance(pauseMs - 1);
      expect(asked()).toHaveLength(count);
      await runtime.advance(1);
      expect(asked()).toHaveLength(count + 1);
    }
    expect(asked().slice(0, 3)).toEqual(['a', 'b', 'c']);
    stream().created('k', 10n);
    stream().end();
    await runtime.advance(20);
    expect(asked(), 'a success makes the pause short again').toHaveLength(9);
  });

  it('that ends during the creation of its watches loses none of them', async () => {
    const seen = [watch('one'), watch('two', 5n)];
    stream().created('one', 10n);
    await brokenAndBack();
    expect(stream().creates.map(({ startRevision }) => startRevision)).toEqual([11n, 5n]);
    stream().created('two', 10n);
    stream().puts('two', 6n);
    expect(seen.map(({ log }) => log)).toEqual([['created 10'], ['created 10', 6n]]);
  });

  it('that could not be trusted ends every watch with AuthError', () => {
    const seen = [watch('one'), watch('two')];
    stream().end(neverSent('No connection established. Last error: self-signed certificate'));
    for (const { error } of seen) expect(error).toBeInstanceOf(AuthError);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('whose login was refused ends every watch with AuthError', () => {
    const seen = watch('one');
    stream().end(
      neverSent('etcdserver: authentication failed, invalid user ID or password', 'invalid-argument'),
    );
    expect(seen.error).toBeInstanceOf(AuthError);
  });

  it('whose token has expired is replaced', async () => {
    const seen = watch('one');
    stream().end(new TransportError('unauthenticated', 'etcdserver: invalid auth token'));
    await runtime.advance(0);
    expect([seen.log, asked()]).toEqual([[], ['a', 'b']]);
  });
});

describe('the heartbeat', () => {
  const heartbeats = (): number => stream().commands.filter(({ kind }) => kind === 'progress').length;

  it('asks a quiet stream once, and replaces it after two more seconds of silence', async () => {
    watch('k');
    stream().created('k', 10n);
    await runtime.advance(999);
    expect(heartbeats()).toBe(0);
    await runtime.advance(1);
    expect(heartbeats()).toBe(1);
    await runtime.advance(1_999);
    expect([heartbeats(), transport.resets, asked()]).toEqual([1, [], ['a']]);
    await runtime.advance(1);
    expect([transport.resets, asked()]).toEqual([['a'], ['a', 'b']]);
  });

  it('replaces a silent stream within 4 s of its last message, whenever that came', async () => {
    for (const quietMs of [1, 500, 999, 1_000, 1_500]) {
      const before = asked().length;
      const { watch: opened } = watch('k');
      stream().created('k', 10n);
      await runtime.advance(quietMs);
      stream().puts('k', 11n);
      await runtime.advance(4_000);
      expect(asked().length, `${quietMs}`).toBeGreaterThanOrEqual(before + 2);
      opened.cancel();
    }
  });

  it('counts one silence as one failure, though the reset ends the stream too', async () => {
    runtime.chance = 0.5;
    watch('k');
    transport.onReset = () => stream().end();
    await runtime.advance(3_000);
    await runtime.advance(19);
    expect(asked()).toEqual(['a']);
    await runtime.advance(1);
    expect(asked()).toEqual(['a', 'b']);
  });

  it('lets a stream live that answers, and asks a busy one nothing', async () => {
    const { log } = watch('k');
    stream().created('k', 10n);
    for (let second = 0; second < 10; second++) {
      await runtime.advance(1_000);
      stream().say({ header: header(10n) });
    }
    expect(asked()).toEqual(['a']);
    expect(log).toContain('progress 10');
    const asks = heartbeats();
    for (let i = 0; i < 20; i++) {
      await runtime.advance(500);
      stream().puts('k', BigInt(11 + i));
    }
    expect(heartbeats()).toBe(asks);
  });

  it('of a process that stood still asks again before it judges', async () => {
    watch('k');
    stream().created('k', 10n);
    await runtime.advance(1_000);
    runtime.standStill(10_000);
    await runtime.advance(0);
    expect([heartbeats(), transport.resets]).toEqual([2, []]);
    stream().say({ header: header(10n) });
    await runtime.advance(2_500);
    expect(transport.resets).toEqual([]);
  });

  it('of a process that stood still judges once the second question is not answered either', async () => {
    watch('k');
    await runtime.advance(1_000);
    runtime.standStill(10_000);
    await runtime.advance(2_000);
    expect(transport.resets).toEqual(['a']);
  });
});

describe('a creation that is refused', () => {
  it('is tried again once on a new stream, since only the token may have expired; then AuthError for that watch alone', async () => {
    const [bad, good] = [watch('secret'), watch('open')];
    stream().refuse('etcdserver: permission denied');
    stream().created('open', 10n);
    await runtime.advance(0);
    expect(asked()).toEqual(['a', 'a']);
    stream().refuse('etcdserver: permission denied');
    stream().created('open', 10n);
    stream().puts('open', 11n);
    expect(bad.error).toBeInstanceOf(AuthError);
    expect([bad.log, good.log]).toEqual([['ended'], ['created 10', 11n]]);
    expect(stream().isClosed).toBe(false);
    await runtime.advance(0);
    expect(asked()).toHaveLength(2);
  });

  it('belongs to the oldest one not answered, since etcd does not say to which', async () => {
    const [one, two, three] = [watch('one'), watch('two'), watch('three')];
    const four = watch('four');
    two.watch.cancel();
    for (let round = 0; round < 2; round++) {
      stream().created('one', 10n);
      if (stream().creates.length === 4) stream().refuse('etcdserver: permission denied'); // two, cancelled meanwhile
      stream().refuse('etcdserver: permission denied');
      stream().created('four', 10n);
      await runtime.advance(0);
    }
    expect([one, two, three, four].map(({ log }) => log)).toEqual([
      ['created 10'],
      [],
      ['ended'],
      ['created 10'],
    ]);
    expect(three.error).toMatchObject({ message: expect.stringContaining('"three"') as string });
    stream().refuse('to nothing');
    stream().say({ header: header(11n) });
    expect(one.log).toEqual(['created 10', 'progress 11']);
  });

  it('is understood with its id as well', async () => {
    const [one, two] = [watch('one'), watch('two')];
    for (let round = 0; round < 2; round++) {
      const watchId = stream().idOf('two');
      stream().say({ watchId, created: true, canceled: true, cancelReason: 'etcdserver: permission denied' });
      await runtime.advance(0);
    }
    expect([one.log, two.log]).toEqual([[], ['ended']]);
  });

  it('goes on if the new stream takes it, and may be refused again later', async () => {
    const seen = watch('k');
    for (let i = 0; i < 3; i++) {
      stream().refuse('etcdserver: invalid auth token');
      await runtime.advance(0);
      stream().created('k', 10n);
      await brokenAndBack();
    }
    expect(seen.log).toEqual(['created 10']);
  });

  it.each([
    'etcdserver: invalid auth token',
    'rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old',
  ])(
    'for its token (%s) is tried again and again: users and roles may be changing all the time',
    async (why) => {
      const seen = watch('k');
      for (let i = 0; i < 20; i++) {
        stream().refuse(why);
        await runtime.advance(1_000);
      }
      stream().created('k', 10n);
      expect(seen.log).toEqual(['created 10']);
      expect(asked()).toHaveLength(21);
    },
  );

  it('for its token again and again waits longer each time, up to a second', async () => {
    runtime.chance = 1;
    watch('k');
    for (const ceilingMs of [20, 40, 80, 160, 320, 640, 1_000, 1_000]) {
      const before = asked().length;
      stream().refuse('etcdserver: invalid auth token');
      await runtime.advance(ceilingMs - 1);
      expect(asked()).toHaveLength(before);
      await runtime.advance(1);
      expect(asked()).toHaveLength(before + 1);
    }
  });

  it('for another reason says that reason', async () => {
    const seen = watch('k');
    stream().refuse('mystery');
    await runtime.advance(0);
    stream().refuse('mystery');
    expect(seen.error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('mystery') as string,
    });
    expect(stream().isClosed).toBe(true);
  });

  it('costs two streams in all, however many watches are refused', async () => {
    const seen = Array.from({ length: 50 }, (_, i) => watch(`secret${i}`));
    for (let round = 0; round < 2; round++) {
      const current = stream();
      for (let i = 0; i < seen.length; i++) current.refuse('etcdserver: permission denied');
      await runtime.advance(0);
    }
    expect(seen.every(({ error }) => error instanceof AuthError)).toBe(true);
    expect(asked()).toEqual(['a', 'a']);
  });
});

describe('closing', () => {
  it('ends every watch with ClosedError, once, and opens none after that', () => {
    const seen = [watch('one'), watch('two')];
    hub.close();
    hub.close();
    for (const { log, error } of seen) expect([log, error instanceof ClosedError]).toEqual([['ended'], true]);
    expect(() => watch('three')).toThrow(ClosedError);
    expect(stream().isClosed).toBe(true);
  });

  it('during a pause leaves no timer', () => {
    runtime.chance = 0.5;
    watch('k');
    stream().end();
    hub.close();
    expect(runtime.pendingTimers).toBe(0);
  });
});

describe('from inside its callbacks a watch', () => {
  it('that ended may open the next, which outlives the cause', async () => {
    const next: Seen[] = [];
    for (const key of ['one', 'two', 'three']) {
      const seen = watch(key);
      seen.onEnded = () => next.push(watch(`${key} again`));
    }
    stream().end(neverSent('No connection established. Last error: self-signed certificate'));
    expect(next).toHaveLength(3);
    expect(next.every(({ log }) => log.length === 0)).toBe(true);
    expect(asked()).toEqual(['a', 'b']);
    expect(stream().creates).toHaveLength(3);
    stream().created('one again', 10n);
    expect(next[0]!.log).toEqual(['created 10']);
    for (const { watch: opened } of next) opened.cancel();
    expect(stream().isClosed).toBe(true);
  });

  it('that ended may cancel another that would be told next', () => {
    const [one, two] = [watch('one'), watch('two')];
    one.onEnded = () => two.watch.cancel();
    hub.close();
    expect([one.log, two.log]).toEqual([['ended'], []]);
  });

  it('that is the last and ends may open the next on the same stream', () => {
    const seen = watch('k');
    let next: Seen | undefined;
    seen.onEnded = () => (next = watch('k', 20n));
    stream().say({ watchId: stream().idOf('k'), canceled: true, compactRevision: 20n });
    expect(stream().isClosed).toBe(false);
    stream().created('k', 30n);
    expect(next?.log).toEqual(['created 30']);
  });

  it('may close the hub', () => {
    const [one, two] = [watch('one'), watch('two')];
    stream().created('one', 10n);
    stream().created('two', 10n);
    one.onProgress = () => hub.close();
    stream().say({ header: header(11n) });
    expect([one.log, two.log]).toEqual([
      ['created 10', 'progress 11', 'ended'],
      ['created 10', 'ended'],
    ]);
  });

  it('may open and cancel others at a sign of life', () => {
    const [one, two] = [watch('one'), watch('two')];
    stream().created('one', 10n);
    stream().created('two', 10n);
    let opened = 0;
    one.onProgress = () => {
      two.watch.cancel();
      if (++opened < 100) watch('more').onProgress = one.onProgress;
    };
    stream().say({ header: header(11n) });
    expect(two.log).toEqual(['created 10']);
    expect(opened).toBe(1);
  });

  it('may cancel the last watch and open another', () => {
    const seen = watch('k');
    stream().created('k', 10n);
    seen.onEvents = () => {
      seen.watch.cancel();
      watch('next');
    };
    stream().puts('k', 11n);
    expect(asked()).toEqual(['a', 'a']);
    expect(stream().creates).toHaveLength(1);
  });
});

it('carries 10,000 watches, and brings them all to a new stream', async () => {
  const startedAt = performance.now();
  const all = Array.from({ length: 10_000 }, (_, i) => watch(`k${i}`, 1n));
  await brokenAndBack();
  expect(stream().creates).toHaveLength(10_000);
  for (const { watchId } of stream().creates)
    stream().say({ watchId, created: true, events: [put('k', 2n)] });
  expect(all.every(({ log }) => log.length === 2)).toBe(true);
  for (const { watch: opened } of all) opened.cancel();
  expect(performance.now() - startedAt).toBeLessThan(6_000);
});
