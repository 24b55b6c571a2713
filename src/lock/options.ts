import { checkOptions, checkTimeout } from '../base/wait.js';

export interface ReentrantOptions {
  /**
   * A callback (`run`) that acquires what it holds, by the same names and in the same mode, gets the same hold once more:
   * same key, same token, and it is given back when both have been released. By default that is an `AlreadyHeldError`, for
   * it is mostly a mistake.
   * @default false
   */
  readonly reentrant?: boolean;
}

export interface LockOptions extends ReentrantOptions {
  /**
   * How long a successor waits after a holder has crashed (not after a release), milliseconds: for what cannot check a
   * fencing token, in the hope that the requests of the crashed holder have arrived by then. All who use the lock have to
   * name it. A longer hope than this is no protection; a token that is checked is.
   * @default none
   */
  readonly lockDelayMs?: number;
}

/** @throws TypeError, RangeError */
export function checkLockOptions(options: LockOptions, title: string): LockOptions {
  checkOptions(options, ['lockDelayMs', 'reentrant'], title);
  checkReentrant(options, title);
  if (options.lockDelayMs !== undefined && checkTimeout(options.lockDelayMs, 'lockDelayMs') === Infinity) {
    throw new RangeError('lockDelayMs must be finite');
  }
  return options;
}

export function checkReentrant({ reentrant }: ReentrantOptions, title: string): void {
  if (reentrant !== undefined && typeof reentrant !== 'boolean') {
    throw new TypeError(`${title}: reentrant must be true or false`);
  }
}
