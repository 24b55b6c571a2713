import type { ISnapshotResponse } from 'etcd3';

import type { SnapshotPiece } from '../store/admin-calls.js';
import type { TransportError } from '../store/transport.js';
import type { Call, Calls } from './calls.js';
import type { ServerStream } from './grpc.js';
import { asTransportError } from './rpc-error.js';

/** What `open` opens, read as fast as it is taken. It is a call like others, so it ends with them, too. */
export async function* snapshotPieces(
  calls: Calls,
  endpoint: string,
  signal: AbortSignal,
  open: (call: Call) => Promise<ServerStream>,
): AsyncGenerator<SnapshotPiece, void, undefined> {
  const end: { error?: TransportError } = {};
  let fail: (error: TransportError) => void = () => {};
  const ended = new Promise<never>((_, reject) => (fail = reject));
  ended.catch(() => {}); // `end` tells it, too
  const call = calls.begin(endpoint, (error) => {
    end.error = error;
    fail(error);
  });
  const onAbort = (): void => call.abort('cancelled', 'cancelled by the caller', signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  call.whenOver(() => signal.removeEventListener('abort', onAbort));
  if (signal.aborted) onAbort();
  try {
    const stream = await Promise.race([open(call), ended]); // a login may hang
    for await (const message of stream) {
      if (end.error) break; // what was read before the end came is still handed out
      yield decode(message as ISnapshotResponse);
    }
  } catch (error) {
    throw end.error ?? asTransportError(error);
  } finally {
    call.cancel();
  }
  // What is read to its end may have ended with an error all the same.
  if (end.error) throw end.error;
}

/** No copy: nobody keeps a piece. */
function decode({ blob, remaining_bytes }: ISnapshotResponse): SnapshotPiece {
  return { bytes: blob, remainingBytes: BigInt(remaining_bytes) };
}
