// A client in a process of its own, for tests of the rig: says that it lives, asks members, sends packets and counts those
// that come. Speaks to its parent by messages: `{ id, ask }` gets `{ id, answer }`; packets and beats come by themselves.
import { createSocket } from 'node:dgram';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000; // of one clock for all processes
const packets = createSocket('udp4');
packets.bind(Number(process.argv[2]));
packets.on('message', (text) => {
  const { from, at } = JSON.parse(text.toString());
  process.send?.({ packet: { from, lateMs: now() - at } });
});
setInterval(() => process.send?.({ beat: now() }), 20);

process.on('message', async (/** @type {{ id: number, ask: any }} */ { id, ask }) => {
  process.send?.({ id, answer: ask.endpoint ? await read(ask) : await send(ask) });
});
process.on('disconnect', () => process.exit());

/**
 * Packets to another one like this. Resolves when all are sent.
 * @param {{ to: string, from: string, count: number }} ask
 */
async function send({ to, from, count }) {
  for (let sent = 0; sent < count; sent++) {
    packets.send(JSON.stringify({ from, at: now() }), 9_000, to);
    await delay(1);
  }
}

/**
 * A put, or a read that any member answers by itself.
 * @param {{ endpoint: string, timeoutMs: number, put?: string }} ask
 */
function read({ endpoint, timeoutMs, put }) {
  const base64 = (/** @type {string} */ text) => Buffer.from(text).toString('base64');
  const [path, body] = put
    ? ['kv/put', { key: base64(put), value: '' }]
    : ['kv/range', { key: 'AA==', serializable: true }];
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const call = request(
      new URL(`/v3/${path}`, endpoint),
      { method: 'POST', agent: false, signal },
      (response) => {
        response.resume();
        response.on('error', () => resolve('cut'));
        response.on('end', () =>
          resolve(response.statusCode === 200 ? 'answered' : `status ${response.statusCode}`),
        );
      },
    );
    call.on('error', (error) =>
      resolve(error.name === 'AbortError' || error.name === 'TimeoutError' ? 'silence' : 'cut'),
    );
    call.end(JSON.stringify(body));
  });
}
