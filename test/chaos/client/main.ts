// A client process of a run: plays a workload until it is told to end, killed or stopped. See player.ts for who starts it.
import { setMaxListeners } from 'node:events';
import { workloadNamed } from '../loads.js';
import type { Aim, ClientOptions, Order, Report } from './orders.js';
import { PaperFile } from './paper.js';
import { Probes, standStill } from './probes.js';
import { Seat } from './seat.js';

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

const seats = Array.from({ length: options.desks }, (_, index) => {
  const onRound = (): void => say({ report: 'round', desk: index });
  return new Seat({
    options,
    index,
    workload,
    paper,
    stopping: stopping.signal,
    probe: probes.pass,
    onRound,
  });
});

process.on('message', (order: Order) => {
  if (order.order === 'aim') probes.aim(order.aim);
  else stopping.abort(new Error('the run ends'));
});
process.once('SIGTERM', () => stopping.abort(new Error('the process is to end')));
process.once('disconnect', () => {
  if (!stopping.signal.aborted) process.exit(1); // nobody is left to play for
});

say({ report: 'ready' });
await Promise.all(seats.map((seat) => seat.play()));
// From here on only what the library left behind could keep this process alive.
process.disconnect();
