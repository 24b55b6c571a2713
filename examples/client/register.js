// Service registration: instances of a service join a group under a lease that is renewed for them, others find them, and see
// them go: one leaves, and one, a process of its own, is killed, which shows once its lease has run out.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect } from 'conclave';
import { target } from './target.js';

const sessionTtlMs = 2_000; // as short as it may be, to be watched; the default is 15 seconds
const isOther = process.env.INSTANCE !== undefined;

const conclave = await connect({ endpoints: target.split(','), sessionTtlMs });
const service = conclave.group('service');
if (isOther)
  await service.join(process.env.INSTANCE, { id: 'other' }); // and serves until it is killed
else await main();

async function main() {
  try {
    const own = await service.join('10.0.0.1:8080', { id: 'own' });
    const { members } = await service.members();
    console.log(`members: ${members.map(textOf).join(' ')}`);
    // Nobody else can see an engine that is in this process.
    const other = target === 'memory:' ? undefined : startOther();
    if (!other) void own.leave();
    for await (const { joined, left } of service.watch()) {
      for (const member of joined) console.log(`joined: ${textOf(member)}`);
      for (const member of left) console.log(`left: ${textOf(member)}`);
      if (joined.some(({ id }) => id === 'other')) other.kill('SIGKILL');
      if (left.some(({ id }) => id === 'other')) void own.leave();
      if (left.some(({ id }) => id === 'own')) break;
    }
  } finally {
    await conclave.close();
  }
}

function startOther() {
  const env = { ...process.env, INSTANCE: '10.0.0.2:8080' };
  return fork(fileURLToPath(import.meta.url), process.argv.slice(2), { env });
}

function textOf({ id, value }) {
  return `${id}=${value}`;
}
