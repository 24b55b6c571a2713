// Put: what comes back is a header with the revision, and the value before only if it is asked for.
import { connect, toText } from 'conclave';
import { headerText, target } from './target.js';

const conclave = await connect(target);
const { store } = conclave;
try {
  const first = await store.put('/test/key1', 'Hello etcd!');
  console.log(`PutResponse: ${headerText(first.header)} prev_kv:${first.prevKv}`);

  await store.put('/test/key2', 'Hello World!');
  await store.put('/testspam', 'spam'); // not below /test/, though it looks like it

  const again = await store.put('/test/key1', 'Hello etcd!', { prevKv: true });
  console.log(`PutResponse: ${headerText(again.header)} prev_kv:"${toText(again.prevKv.value)}"`);
} finally {
  await conclave.close();
}
