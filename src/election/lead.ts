import { checkOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { checkWheneverHeld, wheneverHeld, type WheneverHeldOptions } from '../session/whenever-held.js';
import type { Leadership } from './leadership.js';

/** `pauseMs`: how long to stay out of the election after the callback has returned, at least. */
export interface LeadOptions extends WheneverHeldOptions {
  /** What observers see. @default the holder's name, as given to `connect` */
  readonly value?: string;
  /** See `CampaignOptions`. @default 0 */
  readonly priority?: number;
}

const knownOptions = ['value', 'signal', 'priority', 'drainTimeoutMs', 'pauseMs', 'onError'];

/** What `lead` needs of the election. */
export interface Contest {
  readonly title: string;
  campaign(
    value: string,
    options: { readonly signal: AbortSignal; readonly priority?: number },
  ): Promise<Leadership>;
}

/** See `Election.lead`. */
export async function lead(
  connection: Connection,
  contest: Contest,
  work: (leadership: Leadership) => unknown,
  options: LeadOptions,
): Promise<void> {
  const title = `${contest.title}: lead`;
  checkOptions(options, knownOptions, title);
  const { priority, value = connection.options.holder.name, ...others } = options;
  checkWheneverHeld(work, others, 'lead');
  const acquire = (signal: AbortSignal): Promise<Leadership> =>
    contest.campaign(value, { signal, ...(priority !== undefined && { priority }) });
  await wheneverHeld(connection, { title, acquire, work }, others);
}
