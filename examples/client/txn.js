// Txn: if k1 > v1 and its version is 2, put k2 and k3, else k4 and k5, all of it at once. Tried twice, since the version is 1
// the first time.
import { compare, connect, prefix, put, toText } from 'conclave';
import { headerText, target } from './target.js';

const conclave = await connect(target);
const { store } = conclave;
try {
  await store.remove(prefix('/txn/'));
  for (let attempt = 1; attempt <= 2; attempt++) {
    await store.put('/txn/k1', 'v2');
    const answer = await store.txn({
      if: [compare.value('/txn/k1', '>', 'v1'), compare.version('/txn/k1', '=', 2n)],
      then: [put('/txn/k2', 'v2'), put('/txn/k3', 'v3')],
      else: [put('/txn/k4', 'v4'), put('/txn/k5', 'v5')],
    });
    const { kvs } = await store.get(prefix('/txn/'));
    console.log(`TxnResponse: ${headerText(answer.header)} succeeded:${answer.succeeded}`);
    console.log(kvs.map(({ key, value }) => `${toText(key)}=${toText(value)}`).join(' '));
  }
} finally {
  await conclave.close();
}
