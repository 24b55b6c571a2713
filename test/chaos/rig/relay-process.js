// Passes connections on from one network namespace to another: its parent hands it servers that listen where the parent
// lives, and it connects from where it runs itself. Ends with its parent.
import { connect } from 'node:net';

/** @typedef {import('node:net').Socket} Socket */

process.on('message', (/** @type {{ host: string, port: number }} */ target, /** @type {any} */ server) => {
  server.on('connection', (/** @type {Socket} */ near) => relay(near, connect(target.port, target.host)));
  process.send?.('listening');
});
process.on('disconnect', () => process.exit());

/** @param {Socket} near @param {Socket} far */
function relay(near, far) {
  for (const [from, to] of /** @type {const} */ ([
    [near, far],
    [far, near],
  ])) {
    from.setNoDelay(true);
    from.on('error', () => {}); // 'close' follows
    from.on('close', () => {
      if (!to.destroyed) to.resetAndDestroy();
    });
    from.pipe(to);
  }
}
