// npm run demo: five workers book the payments of a file into one ledger, each payment once, while one of them is killed
// and another is paused until it has lost the lock and then writes all the same. Ends with the proof, or with status 1.
import { connect } from 'conclave';
import { readBookings, readLedger } from './booking.js';
import { ClientCrew, ProcessCrew } from './crew.js';
import { Etcd, findEtcd } from './etcd.js';
import { inEuros, readPayments } from './payments.js';
import { Timeline } from './timeline.js';

const sessionTtlMs = 2_000; // The shortest: a takeover that one can wait for.
const limitMs = 60_000;
const names = ['worker 1', 'worker 2', 'worker 3', 'worker 4', 'worker 5'];
const victim = 'worker 2';
const zombie = 'worker 4';

async function main() {
  const program = findEtcd();
  if (!program) {
    console.log('There is no etcd on the PATH: five clients of an embedded engine, all in this process.\n');
    await withConclave(await connect('memory:demo'), (conclave) =>
      perform(new ClientCrew('memory:demo', conclave.store, sessionTtlMs), conclave.store),
    );
    return;
  }
  const etcd = new Etcd();
  process.on('exit', () => etcd.stopNow());
  await etcd.start(program);
  console.log(`Five processes, and an etcd of our own (${program}).\n`);
  await withConclave(await connect({ endpoints: [etcd.endpoint], dialTimeoutMs: 20_000 }), (conclave) =>
    perform(new ProcessCrew(etcd.endpoint, sessionTtlMs), conclave.store),
  );
  await etcd.stop();
}

/** `await using` for Node 20. */
async function withConclave(conclave, work) {
  try {
    return await work(conclave);
  } finally {
    await conclave.close();
  }
}

async function perform(crew, store) {
  const payments = readPayments();
  const timeline = new Timeline();
  process.on('exit', () => crew.killAll());
  await Promise.all(names.map((name) => crew.start(name, (event) => timeline.add(name, event))));

  await timeline.until(() => timeline.booked.length >= 8);
  crew.order(victim, 'freeze');
  const killed = await timeline.until(({ who, what }) => who === victim && what === 'freezes');
  timeline.note(victim, crew.howToKill, killed.token);
  await crew.kill(victim);
  await takeover(timeline, killed.token);

  await timeline.until(() => timeline.booked.length >= 16);
  crew.order(zombie, 'freeze');
  const paused = await timeline.until(({ who, what }) => who === zombie && what === 'freezes');
  timeline.note(zombie, crew.howToPause, paused.token);
  await crew.pause(zombie);
  const { token } = await takeover(timeline, paused.token);
  await timeline.until((event) => event.what === 'booked' && event.token === token);
  timeline.note(zombie, crew.howToResume, paused.token);
  await crew.resume(zombie);

  await crew.done();
  report(payments, timeline, await readLedger(store), await readBookings(store));
}

async function takeover(timeline, lostToken) {
  const next = await timeline.until(
    ({ what, token }) => what === 'holds' && BigInt(token) > BigInt(lostToken),
  );
  timeline.note(next.who, 'takes over', next.token);
  return next;
}

/** What the workers were told, against what is stored. */
function report(payments, { booked, refused }, ledger, bookings) {
  const sum = (list) => list.reduce((total, { cents }) => total + cents, 0);
  const row = (what, count, cents) =>
    console.log(`${what.padEnd(24)}${String(count).padStart(4)} payments ${inEuros(cents).padStart(14)}`);
  console.log();
  row('in the file', payments.length, sum(payments));
  row('acknowledged to workers', booked.length, sum(booked));
  row('in the shared ledger', ledger.booked, ledger.cents);
  console.log(`${'late writes refused'.padEnd(24)}${String(refused.length).padStart(4)}\n`);

  const tokens = payments.map(({ id }) => BigInt(bookings.get(id)?.token ?? 0));
  const claims = {
    'acknowledged = ledger = file':
      booked.length === ledger.booked &&
      ledger.booked === payments.length &&
      sum(booked) === ledger.cents &&
      ledger.cents === sum(payments),
    'every payment booked by the one who was told so, once': payments.every(
      ({ id }) =>
        booked.filter((each) => each.id === id && each.token === bookings.get(id)?.token).length === 1,
    ),
    'each booking has a higher token than the one before': tokens.every(
      (token, i) => i === 0 || token > tokens[i - 1],
    ),
    'the late write was refused': refused.length === 1,
  };
  for (const [claim, holds] of Object.entries(claims)) console.log(`${holds ? 'yes' : 'NO '}  ${claim}`);
  if (!Object.values(claims).every(Boolean)) process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
const limit = setTimeout(() => {
  console.error(`\nnot done within ${limitMs / 1_000} s`);
  process.exit(1);
}, limitMs);

try {
  await main();
  clearTimeout(limit);
} catch (error) {
  console.error(error);
  process.exit(1); // The listeners of `exit` clear up.
}
