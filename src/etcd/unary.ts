import type { Call } from './calls.js';
import type { Connection, Headers } from './connection.js';
import type { Service, UnaryMethod } from './grpc.js';
import { isStaleToken } from './rpc-error.js';

/** How a request and its answer are said in one of etcd's own RPCs. */
export interface Exchange<Request, Response> {
  readonly rpc: readonly [Service, UnaryMethod];
  readonly encode: (request: Request) => object;
  readonly decode: (response: never) => Response;
}

/** Sends a request over a connection, and once more with a new token if the server refused the one it came with. */
export async function exchange<Request, Response>(
  connection: Connection,
  call: Call,
  { rpc, encode, decode }: Exchange<Request, Response>,
  request: Request,
  requireLeader: boolean,
): Promise<Response> {
  const message = encode(request);
  // What arrives is what the definitions of the RPC say.
  const send = async (headers: Headers): Promise<Response> =>
    decode((await connection.unary(call, rpc, message, headers)) as never);
  const token = await connection.token();
  try {
    return await send({ token, requireLeader });
  } catch (error) {
    if (!isStaleToken(error)) throw error;
    const renewed = await connection.renewedToken(token);
    if (renewed === token) throw error; // no login, or authentication is disabled: nothing better to show
    return send({ token: renewed, requireLeader });
  }
}
