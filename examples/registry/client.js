// A client of the service: keeps a list of the instances that are there, and asks one of them, each in its turn.
//
//   node examples/registry/client.js
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'conclave';
import { instance } from './service.js';

const conclave = await connect({
  endpoints: (process.env.CONCLAVE_ENDPOINTS ?? 'http://127.0.0.1:2379').split(','),
});

let present = [];
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());

// One watch, and no request to etcd for any of the picks.
async function follow() {
  for await (const { members, joined, left } of conclave
    .group('web', { schema: instance })
    .watch({ signal: stop.signal })) {
    present = members;
    for (const { id, value } of joined) console.log(`+ ${id} at ${value.host}:${value.port}`);
    for (const { id } of left) console.log(`- ${id}`);
  }
}

async function ask() {
  for (let turn = 0; ; turn++) {
    await sleep(200, undefined, { signal: stop.signal });
    if (present.length === 0) continue;
    const { id, value } = present[turn % present.length];
    // A crashed instance is listed until its lease has run out: whoever picks one must be ready to pick another.
    const answer = await fetch(`http://${value.host}:${value.port}/`).then(
      (response) => response.text(),
      () => `${id} does not answer\n`,
    );
    process.stdout.write(answer);
  }
}

await Promise.all([follow(), ask()]).catch((error) => {
  if (!stop.signal.aborted) throw error;
});
await conclave.close();
