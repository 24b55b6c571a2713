import type { AdminCaller } from './admin-caller.js';
import type { Access, Permission } from './admin-calls.js';
import { checkText } from './admin-checks.js';
import type { CallOptions } from './caller.js';
import { type RangeLike, toRange } from './operations.js';
import type { Header } from './results.js';

/** Exactly one of the two. */
export interface NewUserOptions extends CallOptions {
  readonly password?: string | undefined;
  /** Only a client certificate with this common name can come as this user (`--client-cert-auth`). @default false */
  readonly noPassword?: boolean | undefined;
}

interface Done {
  readonly header: Header;
}

/**
 * Users, roles and whether they count, on an etcd. All of it needs the role `root` once authentication is enabled.
 *
 * A change ends like every mutation of the store: done, not done, or unknown (`OutcomeUnknownError`).
 *
 * @throws (every method, of `users` and `roles` too) UnsupportedError on the embedded engine, before anything else;
 * TypeError for bad arguments, before any I/O; AuthError; UnavailableError after `timeoutMs` (`dialTimeoutMs` if not
 * given); ClosedError
 */
export class Auth {
  readonly users: Users;
  readonly roles: Roles;
  readonly #caller: AdminCaller;

  constructor(caller: AdminCaller) {
    this.#caller = caller;
    this.users = new Users(caller);
    this.roles = new Roles(caller);
  }

  /**
   * From now on every request must come with a user, and roles say what it may touch. A client without a password is
   * locked out, this one too.
   *
   * @throws InvalidRequestError unless there is a user `root` with the role `root`
   */
  async enable(options?: CallOptions): Promise<Done> {
    return this.#caller.call('authEnable', { what: 'auth.enable', request: () => ({}), options });
  }

  /** From now on everybody may do everything again. Users and roles stay. */
  async disable(options?: CallOptions): Promise<Done> {
    return this.#caller.call('authDisable', { what: 'auth.disable', request: () => ({}), options });
  }

  /** `authRevision` grows with each change of users or roles. @throws UnsupportedError before etcd 3.5 */
  async status(
    options?: CallOptions,
  ): Promise<Done & { readonly enabled: boolean; readonly authRevision: bigint }> {
    return this.#caller.call('authStatus', { what: 'auth.status', request: () => ({}), options });
  }
}

/** Who may come in. Errors as for `Auth`, and NotFoundError for a user or role that does not exist. */
export class Users {
  readonly #caller: AdminCaller;

  constructor(caller: AdminCaller) {
    this.#caller = caller;
  }

  /** A new user, with no role yet. @throws AlreadyExistsError; TypeError unless given a password, or `noPassword` */
  async add(name: string, options: NewUserOptions): Promise<Done> {
    return this.#caller.call('userAdd', {
      what: 'auth.users.add',
      request: () => ({ name: checkText(name, 'name'), password: passwordOf(options) }),
      options,
      own: ['password', 'noPassword'],
    });
  }

  /** What it has open ends or is refused from then on. @throws InvalidRequestError for `root` while authentication is enabled */
  async remove(name: string, options?: CallOptions): Promise<Done> {
    const request = (): { name: string } => ({ name: checkText(name, 'name') });
    return this.#caller.call('userRemove', { what: 'auth.users.remove', request, options });
  }

  /** The roles of a user. A user may ask for its own. */
  async get(name: string, options?: CallOptions): Promise<Done & { readonly roles: readonly string[] }> {
    const request = (): { name: string } => ({ name: checkText(name, 'name') });
    return this.#caller.call('userGet', { what: 'auth.users.get', request, options });
  }

  async list(options?: CallOptions): Promise<Done & { readonly users: readonly string[] }> {
    return this.#caller.call('userList', { what: 'auth.users.list', request: () => ({}), options });
  }

  /** Clients that are logged in have to log in again. */
  async changePassword(name: string, password: string, options?: CallOptions): Promise<Done> {
    return this.#caller.call('userChangePassword', {
      what: 'auth.users.changePassword',
      request: () => ({ name: checkText(name, 'name'), password: checkText(password, 'password') }),
      options,
    });
  }

  /** From now on the user may do what the role allows. Granting twice is no error. */
  async grantRole(name: string, role: string, options?: CallOptions): Promise<Done> {
    return this.#caller.call('userGrantRole', {
      what: 'auth.users.grantRole',
      request: () => ({ name: checkText(name, 'name'), role: checkText(role, 'role') }),
      options,
    });
  }

  /** @throws NotFoundError also if the user does not have the role */
  async revokeRole(name: string, role: string, options?: CallOptions): Promise<Done> {
    return this.#caller.call('userRevokeRole', {
      what: 'auth.users.revokeRole',
      request: () => ({ name: checkText(name, 'name'), role: checkText(role, 'role') }),
      options,
    });
  }
}

/** What users may do. Errors as for `Auth`, and NotFoundError for a role that does not exist. */
export class Roles {
  readonly #caller: AdminCaller;

  constructor(caller: AdminCaller) {
    this.#caller = caller;
  }

  /** A new role, which allows nothing yet. @throws AlreadyExistsError */
  async add(name: string, options?: CallOptions): Promise<Done> {
    const request = (): { name: string } => ({ name: checkText(name, 'name') });
    return this.#caller.call('roleAdd', { what: 'auth.roles.add', request, options });
  }

  /** Also takes it from all users. @throws InvalidRequestError for `root` while authentication is enabled */
  async remove(name: string, options?: CallOptions): Promise<Done> {
    const request = (): { name: string } => ({ name: checkText(name, 'name') });
    return this.#caller.call('roleRemove', { what: 'auth.roles.remove', request, options });
  }

  /** What the role allows. A user may ask for the roles it has. The role `root` allows everything, whatever is listed. */
  async get(
    name: string,
    options?: CallOptions,
  ): Promise<Done & { readonly permissions: readonly Permission[] }> {
    const request = (): { name: string } => ({ name: checkText(name, 'name') });
    return this.#caller.call('roleGet', { what: 'auth.roles.get', request, options });
  }

  async list(options?: CallOptions): Promise<Done & { readonly roles: readonly string[] }> {
    return this.#caller.call('roleList', { what: 'auth.roles.list', request: () => ({}), options });
  }

  /**
   * Allows `access` to a key, or to what `prefix`, `range` or `fromKey` return: `prefix('orders/')` for a namespace
   * `orders`. Another access for the same range takes the place of the one before.
   */
  async grantPermission(
    name: string,
    target: RangeLike,
    access: Access,
    options?: CallOptions,
  ): Promise<Done> {
    return this.#caller.call('roleGrantPermission', {
      what: 'auth.roles.grantPermission',
      request: () => ({
        name: checkText(name, 'name'),
        permission: { access: checkAccess(access), range: toRange(target) },
      }),
      options,
    });
  }

  /** Takes back what was granted for exactly this range. @throws NotFoundError also if nothing was */
  async revokePermission(name: string, target: RangeLike, options?: CallOptions): Promise<Done> {
    return this.#caller.call('roleRevokePermission', {
      what: 'auth.roles.revokePermission',
      request: () => ({ name: checkText(name, 'name'), range: toRange(target) }),
      options,
    });
  }
}

/** Whoever forgets the password must not get a user without one. */
function passwordOf(options: NewUserOptions | undefined): string | undefined {
  const { password, noPassword = false } = options ?? {};
  if ((password !== undefined) === noPassword)
    throw new TypeError('auth.users.add needs a password, or noPassword: true');
  return noPassword ? undefined : checkText(password ?? '', 'password');
}

function checkAccess(access: Access): Access {
  // etcd would silently take one that it does not know for "read".
  if (!['read', 'write', 'readwrite'].includes(access))
    throw new TypeError(`access must be read, write or readwrite, not ${JSON.stringify(access)}`);
  return access;
}
