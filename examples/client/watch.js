// Watch: first that it was created, then events; from a revision on, of a prefix, with the pair before. A watch that cannot go
// on throws the reason: here it asks for what has been compacted.
import { connect, prefix } from 'conclave';
import { kvText, target } from './target.js';

const conclave = await connect(target);
const { store } = conclave;
try {
  await store.remove(prefix('/watch/'));
  const first = await store.put('/watch/key1', 'Hello etcd!');
  await store.put('/watch/key2', 'Hello World!');
  await store.put('/watch/key1', 'Hello again!');
  const last = await store.remove('/watch/key1');

  const { revision } = first.header;
  let events = 0;
  for await (const notice of store.watch(prefix('/watch/'), { startRevision: revision, prevKv: true })) {
    if (notice.kind === 'created') console.log(`Created: revision:${notice.revision}`);
    if (notice.kind !== 'events') continue;
    for (const { type, kv, prevKv } of notice.events)
      console.log(`${type.toUpperCase()} ${kvText(kv)} prev_kv:${prevKv ? kvText(prevKv) : prevKv}`);
    if ((events += notice.events.length) === 4) break;
  }

  await store.compact(last.header.revision);
  for await (const notice of store.watch('/watch/key1', { startRevision: revision }))
    console.log(notice.kind);
} catch (error) {
  console.log(`Canceled: ${error.name} CompactRevision:${error.compactRevision}`);
} finally {
  await conclave.close();
}
