// A worker as a process of its own. Its parent gives orders, and is told what happens.
import { connect } from 'conclave';
import { Booking } from './booking.js';
import { readPayments } from './payments.js';

const [name, endpoint, sessionTtlMs] = process.argv.slice(2);
process.on('disconnect', () => process.exit(1)); // The demo is gone.

const conclave = await connect({ endpoints: [endpoint], sessionTtlMs: Number(sessionTtlMs), holder: name });
const booking = new Booking(conclave, {
  name,
  payments: readPayments(),
  say: (event) => process.send(event),
});
process.on('message', (word) => booking.order(word));
await booking.run();
await conclave.close();
process.disconnect();
process.exit(0);
