import { UnsupportedError } from '../base/errors.js';
import { checkOptions } from '../base/wait.js';
import type { AdminCalls, AdminMethod } from './admin-calls.js';
import type { Caller, CallOptions } from './caller.js';
import type { Endpoints } from './endpoints.js';
import type { AdminTransport } from './transport.js';

/** Of a call that is about one member rather than the cluster. */
export interface MemberOptions extends CallOptions {
  /** Which member to ask: one of `store.endpoints`. @default the one that calls go to */
  readonly endpoint?: string | undefined;
}

/** What to send, and what the caller of the public method has given. */
export interface AdminRequest<M extends AdminMethod> {
  /** The public method, for messages. */
  readonly what: string;
  /** Checks the arguments too: it runs once it is known that there is somebody to ask. */
  readonly request: () => AdminCalls[M]['request'];
  readonly options: MemberOptions | undefined;
  /** The options of the public method besides `signal` and `timeoutMs`. @default [] */
  readonly own?: readonly string[];
}

interface Traits {
  readonly isMutation: boolean;
  /** Answered by one member from what it has, also while it knows no leader. */
  readonly isLocal?: boolean;
}

const traits: { readonly [M in AdminMethod]: Traits } = {
  memberList: { isMutation: false },
  memberAdd: { isMutation: true },
  memberPromote: { isMutation: true },
  memberUpdate: { isMutation: true },
  memberRemove: { isMutation: true },
  authEnable: { isMutation: true },
  authDisable: { isMutation: true },
  authStatus: { isMutation: false },
  userAdd: { isMutation: true },
  userRemove: { isMutation: true },
  userGet: { isMutation: false },
  userList: { isMutation: false },
  userChangePassword: { isMutation: true },
  userGrantRole: { isMutation: true },
  userRevokeRole: { isMutation: true },
  roleAdd: { isMutation: true },
  roleRemove: { isMutation: true },
  roleGet: { isMutation: false },
  roleList: { isMutation: false },
  roleGrantPermission: { isMutation: true },
  roleRevokePermission: { isMutation: true },
  memberStatus: { isMutation: false, isLocal: true },
  alarmList: { isMutation: false },
  alarmDisarm: { isMutation: true },
  defragment: { isMutation: true, isLocal: true },
  hash: { isMutation: false, isLocal: true },
  moveLeader: { isMutation: true },
};

/** Sends what administers the cluster, with the care a store takes of everything it sends. */
export class AdminCaller {
  readonly #caller: Caller;
  readonly #endpoints: Endpoints;
  readonly #admin: AdminTransport | undefined;

  constructor(caller: Caller, endpoints: Endpoints, admin: AdminTransport | undefined) {
    this.#caller = caller;
    this.#endpoints = endpoints;
    this.#admin = admin;
  }

  /**
   * The way to the cluster, if there is one.
   *
   * @param what the public method, for the message
   * @throws UnsupportedError on a store that is no cluster
   */
  transport(what: string): AdminTransport {
    if (this.#admin) return this.#admin;
    throw new UnsupportedError(
      `${what}: the embedded engine has no members, users or database file to administer; connect to an etcd`,
    );
  }

  /** @throws UnsupportedError as `transport` does, before anything else; TypeError for bad options */
  async call<M extends AdminMethod>(
    method: M,
    { what, request, options = {}, own = [] }: AdminRequest<M>,
  ): Promise<AdminCalls[M]['response']> {
    const admin = this.transport(what);
    checkOptions(options, ['signal', 'timeoutMs', ...own], what);
    if (options.endpoint !== undefined) this.checkEndpoint(options.endpoint, what);
    return this.ask(admin, method, { what, request, options });
  }

  /** The same without the checks, so that also an endpoint can be asked that is not in use yet. */
  async ask<M extends AdminMethod>(
    admin: AdminTransport,
    method: M,
    { what, request, options = {} }: AdminRequest<M>,
  ): Promise<AdminCalls[M]['response']> {
    const body = request();
    const { isMutation, isLocal = false } = traits[method];
    const isStaleAllowed = isLocal || ('linearizable' in body && !body.linearizable);
    return this.#caller.answer(
      {
        what: () => what,
        isMutation,
        requireLeader: !isStaleAllowed,
        endpoint: options.endpoint,
        ask: (endpoint, unaryOptions) => admin.unary(endpoint, method, body, unaryOptions),
      },
      options,
    );
  }

  /** @throws TypeError for one that is not in use */
  checkEndpoint(endpoint: string, what: string): void {
    const { all } = this.#endpoints;
    if (all.includes(endpoint)) return;
    throw new TypeError(
      `${what}: endpoint must be one of ${all.join(', ')}, not ${JSON.stringify(endpoint)}`,
    );
  }
}
