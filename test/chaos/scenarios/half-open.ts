import { between, client, member } from '../rig/node.js';
import { Rig } from '../rig/rig.js';
import { namespace } from '../stage.js';
import { Watched } from './clients.js';
import type { Scenario } from './scenario.js';
import { until } from './until.js';

const ttlMs = 5_000;

/** The network swallows all between a client and the member that carries its streams; no connection is closed. */
export const halfOpen: Scenario = {
  number: 28,
  title:
    'A connection that dies without a sign is noticed, and another member takes over before the lease ends',
  tier: 'P',
  needs: [],
  repetitions: { full: 20, tenth: 2 },
  async run(stand, repetitions) {
    await using rig = await Rig.start({ tier: 'loopback', clients: 1 });
    await using far = new Watched(rig.endpointsFor(0), { sessionTtlMs: ttlMs });
    await using near = new Watched(rig.endpoints);
    const { transport, conclave } = far;
    const hold = await conclave.mutex('m').acquire();
    let losses = 0;
    hold.signal.addEventListener('abort', () => losses++);
    const events: string[] = [];
    const watching = (async () => {
      for await (const notice of conclave.store.watch('app/news')) {
        if (notice.kind === 'events')
          events.push(...notice.events.map(({ kv }) => kv.modRevision.toString()));
      }
    })();
    watching.catch(() => {}); // it ends with its Conclave
    const detections: Record<'keep-alive' | 'watch', number[]> = { 'keep-alive': [], watch: [] };
    for (let time = 0; time < repetitions; time++) {
      const kind = time % 2 === 0 ? 'keep-alive' : 'watch';
      const carrier = (): string | undefined =>
        kind === 'watch' ? transport.watchEndpoint : transport.keepAliveEndpoint;
      const before = await until(`there is a stream for the ${kind}`, carrier);
      const index = rig.endpointsFor(0).indexOf(before);
      const undo = await rig.links.cut(between([client(0)], [member(index)]));
      const cutAt = performance.now();
      const seen = events.length;
      await near.conclave.store.put('app/news', String(time));
      await until(`the ${kind} goes to another member`, () => carrier() !== before);
      detections[kind].push(performance.now() - cutAt);
      await until('the watch tells what happened meanwhile', () => events.length > seen);
      const { renewals } = transport;
      await until('the lease is renewed twice', () => transport.renewals >= renewals + 2);
      stand.expect(hold.isHeld(), `the hold was lost in round ${time}`);
      await undo();
    }
    stand.expect(losses === 0, 'a hold was lost');
    stand.expect(events.length === repetitions, `${events.length} of ${repetitions} events were seen`);
    stand.figure('leases lost', `${losses} in ${repetitions} rounds, TTL ${ttlMs} ms`);
    for (const [kind, times] of Object.entries(detections)) stand.spread(`${kind} on another member`, times);
    await hold.release();
    const left = (await near.conclave.mutex('m').inspect()).holder;
    stand.expect(left === undefined, `${namespace}: somebody is left in line`);
  },
};
