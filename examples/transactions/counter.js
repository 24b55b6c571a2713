/**
 * Four clients count visits in one key, each reading, adding one, writing. `atomically` runs again whoever was overtaken, so none is
 * lost; without it, most are. Then the same with a counter, which sends what comes at the same time together.
 *
 * node examples/transactions/counter.js, with etcd at CONCLAVE_ENDPOINTS, or without any.
 */
import { atomically, connect, toText } from 'conclave';

const target = process.env.CONCLAVE_ENDPOINTS ?? 'memory:visits';
const clients = await Promise.all([1, 2, 3, 4].map(() => connect(target)));
const [{ store }] = clients;
const visitsEach = 25;

/** @param {(client: import('conclave').Conclave) => Promise<unknown>} visit */
const everybody = (visit) =>
  Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < visitsEach; i++) await visit(client);
    }),
  );

const read = async (key) => {
  const [kv] = (await store.get(key)).kvs;
  return kv ? toText(kv.value) : '0';
};

await everybody(async (client) => {
  const [kv] = (await client.store.get('visits/naive')).kvs;
  await client.store.put('visits/naive', String(Number(kv ? toText(kv.value) : 0) + 1));
});
const naive = Number(await read('visits/naive'));
console.log(`read, add, write:  ${naive < 100 ? 'some are lost' : 'all 100, by luck'}`);

let runs = 0;
await everybody((client) =>
  atomically(client.store, async (txn) => {
    runs++;
    const visits = Number((await txn.getText('visits/atomic')) ?? 0);
    txn.put('visits/atomic', String(visits + 1));
  }),
);
console.log(`atomically:        ${await read('visits/atomic')}${runs > 100 ? ', some in a second run' : ''}`);

await everybody((client) => client.counter('visits').add());
console.log(`counter:           ${(await clients[0].counter('visits').get()).value}`);

await store.remove('visits/naive');
await store.remove('visits/atomic');
await clients[0].counter('visits').set(0);
await Promise.all(clients.map((client) => client.close()));
