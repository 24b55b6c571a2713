import type { ConclaveOptions } from '../conclave-options.js';
import type { Drain } from './virtual-clock.js';

export interface WorldOptions {
  /** Everything left to chance follows from it. A whole number. @default 1 */
  readonly seed?: number;
  /** How many members the cluster has: `member-1` and so on. @default 3 */
  readonly members?: number;
  /** How to wait until no promise is left to settle. @default one turn of the real event loop */
  readonly drain?: Drain;
  /**
   * False: `timeline()` is empty, `traceHash()` always the same, and a leaked timer does not tell who set it; thousands of
   * runs take a sixth less time. Repeat with a trace the one that fails. @default true
   */
  readonly trace?: boolean;
}

export interface PeerSettings {
  /** In traces and messages. @default 'client-1' and so on */
  readonly name?: string;
  /** How fast its clocks go, compared with the store's: 1.1 gains six seconds a minute. @default 1 */
  readonly clockRate?: number;
  /** Its keys; what is left below it is a leak. @default 'conclave' */
  readonly namespace?: string;
}

export interface ClientOptions extends Omit<ConclaveOptions, 'runtime'>, PeerSettings {}
