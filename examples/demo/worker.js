// A worker as a process of its own. Its parent gives orders, and is told what happens.
import { connect } from 'conclave';
import { Member } from './member.js';

const [name, endpoint, sessionTtlMs, first] = process.argv.slice(2);
process.on('disconnect', () => process.exit(1)); // The demo is gone.

const conclave = await connect({
  endpoints: [endpoint],
  sessionTtlMs: Number(sessionTtlMs),
  dialTimeoutMs: 30_000, // five processes start at once, perhaps on a slow machine
  holder: name,
});
const member = new Member(conclave, { name, say: (event) => process.send(event) });
process.on('message', (word) => member.order(word));
await member.run({ isFirst: first === 'first' });
await conclave.close();
process.disconnect();
process.exit(0);
