import type { Calls, KeepAliveCommand, Method, WatchCommand } from '../store/transport.js';

type Requests = { readonly [M in Method]: Calls[M]['request'] } & {
  readonly watch: Extract<WatchCommand, { kind: 'create' }>;
  readonly keepAlive: KeepAliveCommand;
};

/** What a client sent to a member: a request by its method, the creation of a watch, or the renewal of a lease. */
export type Sent = {
  readonly [M in keyof Requests]: {
    readonly method: M;
    readonly endpoint: string;
    readonly request: Requests[M];
    /** The world's time. */
    readonly at: number;
  };
}[keyof Requests];
