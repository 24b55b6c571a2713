// Prefix: keys are ordered, so what begins with /test/ is the range from /test/ to /test0, since 0 comes after /.
import { connect, prefix, toText } from 'conclave';
import { kvsText, target } from './target.js';

const conclave = await connect(target);
const { store } = conclave;
try {
  await store.put('/test/key1', 'Hello etcd!');
  await store.put('/test/key2', 'Hello World!');
  await store.put('/testspam', 'spam');
  await store.remove('/test/vanish');

  const { key, end } = prefix('/test/');
  console.log(`range: ["${toText(key)}","${toText(end)}")`);

  const below = await store.get(prefix('/test/'));
  console.log(`/test/: ${kvsText(below.kvs)}`);

  const all = await store.get(prefix('/test'), { keysOnly: true });
  console.log(`/test: ${all.kvs.map((kv) => toText(kv.key)).join(' ')}`);
} finally {
  await conclave.close();
}
