// Delete and compact: one key or a whole prefix, with what was there if asked for. After a compaction the past before it
// is gone, for everybody: on a store that others use, think twice.
import { connect, prefix } from 'conclave';
import { kvsText, target } from './target.js';

const conclave = await connect(target);
const { store } = conclave;
try {
  for (const key of ['/delete/key1', '/delete/key2', '/delete/key3']) await store.put(key, 'Hello etcd!');

  const one = await store.remove('/delete/key1');
  console.log(`deleted: ${one.deleted}`);

  const rest = await store.remove(prefix('/delete/'), { prevKv: true });
  console.log(`deleted: ${rest.deleted} prev_kvs: ${kvsText(rest.prevKvs)}`);

  await store.compact(rest.header.revision);
  await store.get(prefix('/delete/'), { revision: one.header.revision });
} catch (error) {
  console.log(`err: ${error.name}: ${error.message}`);
} finally {
  await conclave.close();
}
