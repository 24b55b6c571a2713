// An instance of a service: serves, and tells the others where. Several of them may run, on any machines.
//
//   node examples/registry/instance.js web-1 8081
//
// It is in the registry until it stops (SIGINT, SIGTERM): then it leaves at once. If it crashes, it is out when its lease has
// run out. If it was cut off from etcd for long, it registers again by itself.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { connect } from 'conclave';
import { instance } from './service.js';

const [id = `web-${process.pid}`, port = '0'] = process.argv.slice(2);
const conclave = await connect({
  endpoints: (process.env.CONCLAVE_ENDPOINTS ?? 'http://127.0.0.1:2379').split(','),
  sessionTtlMs: 3_000, // how long a crashed instance may be listed, at least
  holder: id,
});

const server = createServer((_, response) => response.end(`hello from ${id}\n`));
server.listen(Number(port), '127.0.0.1');
await once(server, 'listening');

const web = conclave.group('web', { schema: instance });
const membership = await web.join({ host: '127.0.0.1', port: server.address().port, zone: 'a' }, { id });
console.log(`${id} is there, port ${server.address().port}`);

membership.signal.addEventListener('abort', () => {
  console.error(`${id} is not registered any more: ${membership.signal.reason}`);
  process.exitCode = 1;
  server.close();
});

const stop = async () => {
  await membership.leave(); // no new requests,
  server.close(); // the ones under way are answered,
  await conclave.close(); // and nothing is left
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
