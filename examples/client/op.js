// Op and Do: operations are values, made now and executed later; the result of each is of its kind.
import { connect, get, put } from 'conclave';
import { headerText, kvsText, target } from './target.js';

const conclave = await connect(target);
try {
  const ops = [put('put-key', '123'), get('put-key'), put('put-key', '456')];
  for (const op of ops) {
    const result = await conclave.store.do(op);
    const more = result.kind === 'get' ? ` ${kvsText(result.kvs)}` : '';
    console.log(`${result.kind}: ${headerText(result.header)}${more}`);
  }
} finally {
  await conclave.close();
}
