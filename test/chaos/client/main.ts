// A client process of a run: plays a workload until it is told to end, killed or stopped. See player.ts for who starts it.
import { once, setMaxListeners } from 'node:events';
import { workloadNamed } from '../loads.js';
import { Clock } from './clock.js';
import { collectGarbage } from './memory.js';
import type { Aim, ClientOptions, Order, Report } from './orders.js';
import { PaperFile } from './paper.js';
import { Probes, standStill } from './probes.js';
import { Seat } from './seat.js';

/** The run's own doing: what waits then ends with this, and histories call it so. */
class Stopped extends Error {
  override readonly name = 'stopped';
}

const options = JSON.parse(process.argv[2] ?? '') as ClientOptions;
const workload = await workloadNamed(options.workload);
const paper = new PaperFile(options.history);
const stopping = new AbortController();
setMaxListeners(0, stopping.signal);

const say = (report: Report): void => {
  if (process.connected) process.send?.(report);
};

const act = ({ act, probe }: Aim): void => {
  if (act === 'tell') return say({ report: 'passed', probe });
  const facts = { process: options.name };
  paper.write({ kind: 'note', at: paper.now(), client: options.name, what: act, on: probe, facts });
  if (act === 'kill') {
    process.kill(process.pid, 'SIGKILL');
    for (;;); // nothing happens any more
  }
  const stoodStillMs = standStill();
  const resumed = { ...facts, stoodStillMs };
  paper.write({
    kind: 'note',
    at: paper.now(),
    client: options.name,
    what: 'resumed',
    on: probe,
    facts: resumed,
  });
  for (const seat of seats) seat.look(stoodStillMs);
};

const probes = new Probes(act);
for (const aim of options.aims) probes.aim(aim);

const clock = new Clock(options.clockRate);
const seats = Array.from({ length: options.desks }, (_, index) => {
  const onRound = (): void => say({ report: 'round', desk: index });
  return new Seat({
    options,
    index,
    workload,
    paper,
    stopping: stopping.signal,
    runtime: clock.runtime(probes.pass),
    probe: probes.pass,
    onRound,
  });
});

const ending = new AbortController();

process.on('message', (order: Order) => {
  switch (order.order) {
    case 'aim':
      return probes.aim(order.aim);
    case 'disarm':
      probes.disarm();
      return say({ report: 'disarmed' });
    case 'jump':
      return clock.jump(order.aheadMs);
    case 'collect':
      collectGarbage();
      return say({ report: 'collected' });
    case 'rest':
      return stopping.abort(new Stopped('the run ends'));
    case 'finish':
      void seats[0]?.finish().then(() => say({ report: 'finished' })); // a rejection ends the process, and is seen
      return;
    case 'end':
      return ending.abort();
  }
});
process.once('SIGTERM', () => {
  stopping.abort(new Stopped('the process is to end'));
  ending.abort();
});
process.once('disconnect', () => {
  if (!ending.signal.aborted) process.exit(1); // nobody is left to play for
});

say({ report: 'ready' });
await Promise.all(seats.map((seat) => seat.play()));
say({ report: 'rested' });
if (!ending.signal.aborted) await once(ending.signal, 'abort');
await Promise.all(seats.map((seat) => seat.close()));
say({ report: 'closed', timers: clock.timers });
// From here on only what the library left behind could keep this process alive.
process.disconnect();
