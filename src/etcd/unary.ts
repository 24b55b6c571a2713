import type { Calls, Method } from '../store/transport.js';
import type { Call } from './calls.js';
import type { Connection, Headers } from './connection.js';
import { methods, type Wire } from './methods.js';
import { isStaleToken } from './rpc-error.js';

/** Sends a request over a connection, and once more with a new token if the server refused the one it came with. */
export async function exchange<M extends Method>(
  connection: Connection,
  call: Call,
  method: M,
  request: Calls[M]['request'],
  requireLeader: boolean,
): Promise<Calls[M]['response']> {
  const { rpc, encode, decode }: (typeof methods)[M] = methods[method];
  const message = encode(request);
  const send = (headers: Headers): Promise<unknown> => connection.unary(call, rpc, message, headers);
  const token = await connection.token();
  try {
    return decode((await send({ token, requireLeader })) as Wire[M][1]);
  } catch (error) {
    if (!isStaleToken(error)) throw error;
    const renewed = await connection.renewedToken(token);
    if (renewed === token) throw error; // no login, or authentication is disabled: nothing better to show
    return decode((await send({ token: renewed, requireLeader })) as Wire[M][1]);
  }
}
