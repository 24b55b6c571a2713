// npm run demo: five workers book the payments of a file into one ledger, each payment once, and elect a foreman who adds up
// after every ten. The foreman is killed; the next one is paused until it has lost its lock and its office, and then writes
// all the same. When the books are closed the workers meet at a barrier and send 200 receipts, jobs of a queue; one more of
// them is killed with some in hand. Ends with the proof, or with status 1.
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'conclave';
import { readBookings, readLedger } from './booking.js';
import { ClientCrew, ProcessCrew } from './crew.js';
import { Etcd, findEtcd } from './etcd.js';
import { electionName, readTallies, talliedTogether } from './foreman.js';
import { inEuros, readPayments } from './payments.js';
import { orderReceipts, readReceipts, receiptCount, receiptQueue } from './receipts.js';
import { Timeline } from './timeline.js';

const sessionTtlMs = 2_000; // The shortest: a takeover that one can wait for.
const limitMs = 180_000;
const names = ['worker 1', 'worker 2', 'worker 3', 'worker 4', 'worker 5'];
/** The first to stand for election; the others do when it is gone. Who comes next is up to them. */
const victim = 'worker 2';

async function main() {
  const program = findEtcd();
  if (!program) {
    console.log('There is no etcd on the PATH: five clients of an embedded engine, all in this process.\n');
    await withConclave(await connect('memory:demo'), (conclave) =>
      perform(new ClientCrew('memory:demo', conclave.store, sessionTtlMs), conclave),
    );
    return;
  }
  const etcd = new Etcd();
  process.on('exit', () => etcd.stopNow());
  await etcd.start(program);
  console.log(`Five processes, and an etcd of our own (${program}).\n`);
  await withConclave(await connect({ endpoints: [etcd.endpoint], dialTimeoutMs: 20_000 }), (conclave) =>
    perform(new ProcessCrew(etcd.endpoint, sessionTtlMs), conclave),
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

async function perform(crew, conclave) {
  const { store } = conclave;
  const payments = readPayments();
  const timeline = new Timeline();
  process.on('exit', () => crew.killAll());
  const end = new AbortController();
  const observing = observe(conclave, timeline, end.signal);
  for (const name of names)
    await crew.start(name, { isFirst: name === victim, hear: (event) => timeline.add(name, event) });
  await Promise.all(names.map((name) => timeline.until(({ who, what }) => who === name && what === 'ready')));
  for (const name of names) crew.order(name, 'begin');

  await timeline.until(() => timeline.booked.length >= 8);
  const killed = await freeze(crew, timeline, victim);
  timeline.note(victim, crew.howToKill, killed.token);
  await crew.kill(victim);
  await takeover(timeline, killed.token);
  const { foreman: zombie } = await nextForeman(timeline, [victim]);

  await timeline.until(() => timeline.booked.length >= 16);
  const paused = await freeze(crew, timeline, zombie);
  await untilAllStand(conclave, names.length - 1);
  timeline.note(zombie, crew.howToPause, paused.token);
  await crew.pause(zombie);
  const { token } = await takeover(timeline, paused.token);
  await nextForeman(timeline, [victim, zombie]);
  await timeline.until((event) => event.what === 'booked' && event.token === token);
  timeline.note(zombie, crew.howToResume, paused.token);
  await crew.resume(zombie);

  await timeline.until(({ tallied }) => tallied === payments.length);
  end.abort();
  await observing;
  const receipts = await sendReceipts(
    crew,
    conclave,
    timeline,
    names.filter((name) => name !== victim),
  );
  await crew.done();
  report(payments, timeline, {
    ledger: await readLedger(store),
    bookings: await readBookings(store),
    tallies: await readTallies(store),
    receipts,
  });
}

/** @returns how each receipt has ended, and what is left of the queue */
async function sendReceipts(crew, conclave, timeline, workers) {
  const ordered = await orderReceipts(conclave, readPayments());
  timeline.note(
    'the demo',
    `puts ${ordered.length} receipts to be sent into a queue, and calls the workers together`,
  );
  for (const name of workers) crew.order(name, { parties: workers.length });
  await timeline.until(() => timeline.sent.length >= receiptCount / 4);
  const { who: unlucky } = timeline.sent.at(-1);
  crew.order(unlucky, 'hang');
  const hangs = await timeline.until(({ who, what }) => who === unlucky && what === 'hangs');
  timeline.note(unlucky, `${crew.howToKill}; receipt ${hangs.id} was in its hands`, hangs.token);
  await crew.kill(unlucky);
  const again = timeline.until(({ what, id }) => what === 'sends' && id === hangs.id);
  timeline.note(
    (await again).who,
    `sends receipt ${hangs.id}, attempt ${(await again).attempt}`,
    (await again).token,
  );
  const ends = await readReceipts(
    conclave,
    ordered.map(({ id }) => id),
  );
  return { ends, hangs, state: await receiptQueue(conclave).inspect() };
}

/** Somebody who does not stand for election. */
async function observe(conclave, timeline, signal) {
  try {
    for await (const { leader } of conclave.election(electionName).observe({ signal }))
      timeline.add('observer', { what: 'sees', foreman: leader?.value, token: leader?.fencingToken });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Makes it stop the next time it has the lock, in the middle of a booking. */
async function freeze(crew, timeline, name) {
  crew.order(name, 'freeze');
  return timeline.until(({ who, what }) => who === name && what === 'freezes');
}

async function nextForeman(timeline, earlier) {
  return timeline.until(({ foreman }) => foreman !== undefined && !earlier.includes(foreman));
}

/** So that this time there is a next one in line. */
async function untilAllStand(conclave, count) {
  while ((await conclave.election(electionName).candidates()).length < count) await delay(20);
}

async function takeover(timeline, lostToken) {
  const next = await timeline.until(
    ({ what, token }) => what === 'holds' && BigInt(token) > BigInt(lostToken),
  );
  timeline.note(next.who, 'takes over', next.token);
  return next;
}

/** What the workers were told, against what is stored. */
function report(payments, { booked, refused, foremen, met }, { ledger, bookings, tallies, receipts }) {
  const sum = (list) => list.reduce((total, { cents }) => total + cents, 0);
  const row = (what, count, cents) =>
    console.log(`${what.padEnd(24)}${String(count).padStart(4)} payments ${inEuros(cents).padStart(14)}`);
  console.log();
  row('in the file', payments.length, sum(payments));
  row('acknowledged to workers', booked.length, sum(booked));
  row('in the shared ledger', ledger.booked, ledger.cents);
  const line = (what, count) => console.log(`${what.padEnd(24)}${String(count).padStart(4)}`);
  const { ends } = receipts;
  const again = ends.filter(({ result }) => result?.attempt > 1);
  line('late writes refused', refused.length);
  line('receipts sent', ends.filter(({ state }) => state === 'completed').length);
  line('of these, begun twice', again.length);
  console.log();

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
    'added up after every ten payments, once, by the foreman of the time':
      tallies.length === payments.length / talliedTogether &&
      tallies.every(
        ({ booked: count, cents, by, token }, i) =>
          count === (i + 1) * talliedTogether &&
          cents === sum(payments.slice(0, count)) &&
          foremen.some((each) => each.foreman === by && String(each.token) === token),
      ),
    'every receipt was acknowledged once, those of the killed worker by another, and nothing is left':
      areDone(receipts),
    'no receipt was begun before all workers had met': ends.every(
      ({ result }) => BigInt(result.token) > BigInt(met[0].round),
    ),
    'the observer saw one foreman, none, and then others, each with a higher token': isSuccession(foremen),
  };
  for (const [claim, holds] of Object.entries(claims)) console.log(`${holds ? 'yes' : 'NO '}  ${claim}`);
  if (!Object.values(claims).every(Boolean)) process.exitCode = 1;
}

function areDone({ ends, hangs, state }) {
  const inHand = ends.filter(({ result }) => result.attempt > 1);
  return (
    ends.length === receiptCount &&
    ends.every(({ state, result }) => state === 'completed' && result.by !== undefined) &&
    inHand.length >= 1 &&
    inHand.every(({ result }) => BigInt(result.token) > BigInt(hangs.token)) &&
    state.ready + state.delayed + state.dead + state.running.length === 0
  );
}

function isSuccession([none, first, gap, ...others]) {
  const successors = [first, ...others];
  return (
    none.foreman === undefined &&
    first.foreman === victim &&
    gap.foreman === undefined &&
    others.length >= 2 &&
    successors.every(
      ({ foreman, token }, i) => foreman !== undefined && (i === 0 || token > successors[i - 1].token),
    )
  );
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
