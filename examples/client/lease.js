// Lease: a key that vanishes by itself after 10 seconds, or after as many as TTL_SECONDS says.
import { connect, toText } from 'conclave';
import { target } from './target.js';

const ttlSeconds = Number(process.env.TTL_SECONDS ?? 10);
const conclave = await connect(target);
const { store } = conclave;
try {
  const lease = await store.lease.grant({ ttlSeconds });
  console.log(`granted: ${lease.ttlSeconds} s`);
  const { header } = await store.put('/test/vanish', `vanish in ${ttlSeconds}s`, { lease: lease.id });

  const telling = setInterval(() => void tell(lease.id), 1_000);
  for await (const notice of store.watch('/test/vanish', { startRevision: header.revision + 1n })) {
    if (notice.kind === 'created') await tell(lease.id);
    if (notice.kind === 'events') break;
  }
  clearInterval(telling);
  console.log(`vanished: Count: ${(await store.get('/test/vanish')).count}`);

  // A lease that has run out is an error: ask for another one, and put again.
  await store.put('/test/vanish', 'too late', { lease: lease.id }).catch((error) => {
    console.log(`err: ${error.name}: ${error.message}`);
  });
} finally {
  await conclave.close();
}

async function tell(id) {
  const { ttlSeconds: left } = await store.lease.timeToLive(id);
  const { kvs } = await store.get('/test/vanish');
  if (kvs[0]) console.log(`${toText(kvs[0].key)} = ${toText(kvs[0].value)}, ${left} s left`);
}
