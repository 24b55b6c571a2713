// Keep-alive: a lease renewed once, then again and again, past its time. The loop ends by throwing why: here the lease is
// revoked after some renewals, which takes its key with it.
import { connect } from 'conclave';
import { target } from './target.js';

const conclave = await connect(target);
const { store } = conclave;
const busy = setInterval(() => {}, 1_000); // an embedded engine does not keep a process alive, as a connection does
try {
  const { id, ttlSeconds } = await store.lease.grant({ ttlSeconds: 2 });
  await store.put('/test/kept', 'alive', { lease: id });

  const once = await store.lease.keepAliveOnce(id);
  console.log(`renewed once: ${once.ttlSeconds} s`);

  let renewals = 0;
  for await (const renewal of store.lease.keepAlive(id, { ttlSeconds })) {
    console.log(`renewed: ${renewal.ttlSeconds} s, ${(await store.get('/test/kept')).count} key`);
    if (++renewals === 5) await store.lease.revoke(id);
  }
} catch (error) {
  console.log(`err: ${error.name}: ${error.message}`);
  console.log(`${(await store.get('/test/kept')).count} keys`);
} finally {
  clearInterval(busy);
  await conclave.close();
}
