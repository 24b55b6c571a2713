// Connecting: a list of endpoints, and a limit for the first connection. Within it `connect` resolves once the store has
// answered, or rejects; after that reconnecting is the client's business.
import { connect } from 'conclave';
import { target } from './target.js';

const endpoints = target.split(',');
const conclave = await connect({ endpoints, dialTimeoutMs: 5_000 });
console.log(`connected to ${conclave.store.endpoint}, one of ${conclave.store.endpoints.length}`);
await conclave.close();

const nobody = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
try {
  await connect({ endpoints: nobody, dialTimeoutMs: 500 });
} catch (error) {
  console.log(`err: ${error.name}: ${error.message}`);
}
