import { type Attempts, attemptsIn, type Standing } from './standing.js';

/** What becomes of a job from one revision to the next. */
export type Becoming =
  | 'nothing'
  | 'put'
  | 'retried'
  | 'dropped'
  | 'moved'
  | 'claimed'
  | 'lost'
  | 'asked'
  | 'failed'
  | 'returned'
  | 'crashed'
  | 'completed'
  | 'cancelled'
  | 'dead';

export interface Rules {
  readonly groupConcurrency: number;
  readonly maxCrashes: number;
}

/** What has happened, and what is wrong with it: the rules of the queue once more, and not one line of the library's. */
export function become(
  before: Standing,
  after: Standing,
  rules: Rules,
): { readonly what: Becoming; readonly wrong: readonly string[] } {
  const wrong = [...misplaced(after, rules)];
  const demand = (isRight: boolean, what: string): void => {
    if (!isRight) wrong.push(what);
  };
  const what = whatHappens(before, after);
  const hadClaim = before.claims.length > 0;
  const was = attemptsOf(before);
  const is = attemptsOf(after);
  const same = is.failures === was.failures && is.crashes === was.crashes;
  const isAsked = before.cancel !== undefined;
  if (after.body) demand(after.body.version === 1n, 'its body was written again');
  switch (what) {
    case 'put':
      demand(!before.dead && !before.result, 'put although somebody remembers its id');
      demand(is.failures === 0 && is.crashes === 0, 'put with attempts behind it');
      break;
    case 'retried':
      demand(is.failures === 0 && is.crashes === 0, 'retried with attempts behind it');
      break;
    case 'moved':
      demand(same && before.waits[0]?.kind !== 'ready', `moved from ${before.waits[0]?.kind}`);
      break;
    case 'claimed':
      demand(same && was.slot === is.slot, 'taken, and its attempts changed');
      demand(before.claims.length === 0 && after.claims.length === 1, 'taken without a claim');
      break;
    case 'failed':
      demand(hadClaim, 'failed by nobody');
      demand(is.failures === was.failures + 1 && is.crashes === was.crashes, 'a failure was miscounted');
      demand(is.failures < attemptsAllowed(before), 'tried again after its last attempt');
      demand(!isAsked, 'tried again although it was cancelled');
      break;
    case 'returned':
      demand(hadClaim && same, 'given back by nobody, or counted');
      demand(!isAsked, 'given back although it was cancelled');
      break;
    case 'crashed':
      demand(!hadClaim, 'taken away from its worker');
      demand(is.crashes === was.crashes + 1 && is.failures === was.failures, 'a crash was miscounted');
      demand(is.crashes < rules.maxCrashes, 'tried again after too many crashes');
      demand(!isAsked, 'tried again after a crash although it was cancelled');
      break;
    case 'completed':
      demand(before.active !== undefined && hadClaim, 'completed by nobody');
      break;
    case 'cancelled':
      demand(before.waits.length > 0 || isAsked, 'cancelled by nobody');
      break;
    case 'dead':
      deadRightly(before, after, rules, demand);
      break;
    case 'nothing':
    case 'dropped':
    case 'lost':
    case 'asked':
  }
  if (what !== 'dead' && after.dead) demand(before.dead?.create === after.dead.create, 'dead and alive');
  if (!['nothing', 'lost', 'claimed', 'asked'].includes(what))
    demand(after.claims.length === 0, `${what}, and its claim stands`);
  return { what, wrong };
}

function deadRightly(
  before: Standing,
  { dead }: Standing,
  { maxCrashes }: Rules,
  demand: (isRight: boolean, what: string) => void,
): void {
  const { reason, record } = dead?.value as { reason: string; record: Attempts };
  const was = attemptsOf(before);
  const hadClaim = before.claims.length > 0;
  demand(before.active !== undefined && !before.cancel, 'dead although it waited, or was cancelled');
  if (reason === 'crashed') {
    demand(!hadClaim && record.crashes === was.crashes + 1, 'a last crash was miscounted');
    demand(record.crashes >= maxCrashes, 'dead after too few crashes');
  } else if (reason === 'failed')
    demand(hadClaim && record.failures === was.failures + 1, 'a last failure was miscounted');
  else {
    demand(reason === 'expired' && before.body?.value['expiresAt'] !== undefined, `dead: ${reason}`);
    demand(hadClaim && record.failures === was.failures, 'expired by nobody');
  }
}

function whatHappens(before: Standing, after: Standing): Becoming {
  if (!before.body) {
    if (!after.body) return before.dead && !after.dead ? 'dropped' : 'nothing';
    return before.dead ? 'retried' : 'put';
  }
  if (!after.body) {
    if (after.dead) return 'dead';
    return after.result?.value['state'] === 'cancelled' ? 'cancelled' : 'completed';
  }
  const [was] = before.waits;
  const [is] = after.waits;
  if (is) {
    if (was) return was.key === is.key ? 'nothing' : 'moved';
    const { because } = attemptsIn(is);
    return because === 'failed' || because === 'crashed' ? because : 'returned';
  }
  if (was) return 'claimed';
  if (before.claims.length > after.claims.length) return 'lost';
  return !before.cancel && after.cancel ? 'asked' : 'nothing';
}

/** What must be so of a job at every revision. */
function* misplaced(job: Standing, { groupConcurrency }: Rules): Generator<string> {
  const { body, active, place, cancel, dead, result, claims, waits, slots } = job;
  const places = waits.length + (active ? 1 : 0);
  if (claims.length > 1) yield 'held by two';
  if (claims.length > 0 && !active) yield 'held, and not active';
  if ([body, dead, result].filter(Boolean).length > 1) yield 'alive, and ended';
  if (!body) {
    if (places > 0 || place || cancel || slots.length > 0)
      yield `without a body, and this is left: ${describe(job)}`;
    return;
  }
  if (places !== 1) yield `in ${places} places: ${describe(job)}`;
  const [wait] = waits;
  if (wait && cancel) yield 'waits, and is cancelled';
  if (wait && !String(place?.value['text'] ?? body.value['place']).endsWith(wait.key))
    yield 'waits elsewhere than it says';
  const group = body.value['group'] as string | undefined;
  const needsSlot = group !== undefined && (active !== undefined || wait?.kind === 'ready');
  if (wait?.kind === 'ready' && wait.lane !== `ready/${String(body.value['priority'])}`)
    yield 'in another lane';
  if (wait?.kind === 'group' && wait.lane !== `group/${group}/${String(body.value['priority'])}`)
    yield 'in the lane of another group';
  const { slot } = attemptsOf(job);
  const right = needsSlot ? `${group}/${slot}` : '';
  if (slots.join() !== right) yield `its slots are ${slots.join()} instead of ${right}`;
  if (needsSlot && !((slot ?? NaN) < groupConcurrency)) yield `slot ${slot} of ${groupConcurrency}`;
}

function attemptsOf({ waits, active }: Standing): Attempts {
  const at = waits[0] ?? active;
  return at ? attemptsIn(at) : { failures: NaN, crashes: NaN, slot: undefined, because: undefined };
}

function attemptsAllowed({ body }: Standing): number {
  return Number(body?.value['attempts']);
}

function describe({ active, place, cancel, claims, waits, slots }: Standing): string {
  return [active, place, cancel, ...claims, ...waits]
    .map((each) => each?.key ?? '')
    .concat(slots)
    .filter(Boolean)
    .join(', ');
}
