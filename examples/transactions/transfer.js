/**
 * Money moves between accounts, by several clients at the same time. A transfer reads two accounts and writes both, or neither; an
 * auditor reads all of them at one revision, and always finds the same sum.
 *
 * `conclave.atomically` also knows what became of a transfer whose answer got lost: it is done once, never twice.
 *
 * node examples/transactions/transfer.js, with etcd at CONCLAVE_ENDPOINTS, or without any.
 */
import { atomically, connect, prefix, toText } from 'conclave';

const target = process.env.CONCLAVE_ENDPOINTS ?? 'memory:bank';
const clients = await Promise.all([1, 2, 3].map(() => connect(target)));
const [{ store }] = clients;
const accounts = ['anna', 'ben', 'cleo', 'dora'].map((name) => `bank/${name}`);
for (const account of accounts) await store.put(account, '100');

async function transfer(client, from, to, amount) {
  return client.atomically(async (txn) => {
    // Both in one round trip.
    const [have, had] = (await Promise.all([txn.getText(from), txn.getText(to)])).map(Number);
    if (have < amount) return 'refused';
    txn.put(from, String(have - amount));
    txn.put(to, String(had + amount));
    return 'done';
  });
}

async function audit(client) {
  return atomically(client.store, async (txn) => {
    const balances = (await txn.getAll(prefix('bank/'))).map(({ value }) => Number(toText(value)));
    return { sum: balances.reduce((a, b) => a + b), isAnyNegative: balances.some((each) => each < 0) };
  });
}

const results = { done: 0, refused: 0 };
const audits = [];
await Promise.all(
  clients.map(async (client, who) => {
    for (let i = 0; i < 20; i++) {
      const [from, to] = [accounts[(who + i) % 4], accounts[i % 2]];
      if (from !== to) results[await transfer(client, from, to, 60 + who)]++;
      audits.push(await audit(client));
    }
  }),
);

const isRight = audits.every(({ sum, isAnyNegative }) => sum === 400 && !isAnyNegative);
console.log(`transfers: ${results.done} done, ${results.refused} refused`);
console.log(`audits:    ${audits.length}, ${isRight ? 'each found 400, and no account below 0' : 'WRONG'}`);

await store.remove(prefix('bank/'));
await Promise.all(clients.map((client) => client.close()));
