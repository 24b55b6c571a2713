// Get: pairs, their number, and whether there are more. A key that is not there is an empty list, not an error.
import { connect, fromKey } from 'conclave';
import { kvsText, target } from './target.js';

const conclave = await connect(target);
const { store } = conclave;
try {
  await store.put('/test/key1', 'Hello etcd?');
  const { header } = await store.put('/test/key1', 'Hello etcd!');
  await store.put('/test/key2', 'Hello World!');

  const found = await store.get('/test/key1');
  console.log(`Kvs: ${kvsText(found.kvs)} More: ${found.more} Count: ${found.count}`);

  const absent = await store.get('/test/nothing');
  console.log(`absent: ${kvsText(absent.kvs)} Count: ${absent.count}`);

  const past = await store.get('/test/key1', { revision: header.revision - 1n });
  console.log(`a revision before: ${kvsText(past.kvs)}`);

  const page = await store.get(fromKey('/test/key1'), { limit: 1 });
  console.log(`from key, limit 1: ${kvsText(page.kvs)} More: ${page.more}`);

  const newest = await store.get(fromKey('/test/key1'), { sort: ['mod', 'descend'], limit: 1 });
  console.log(`the newest: ${kvsText(newest.kvs)}`);
} finally {
  await conclave.close();
}
