/** @returns what throws instead of giving the real one */
function forbidden(name: string): () => never {
  return () => {
    throw new Error(`${name} was used in a simulation: it would make runs of one seed differ`);
  };
}

/**
 * From now on, in this process, real time and chance throw. The library takes them from its Runtime; what it does not, a
 * seed would not repeat.
 *
 * Not guarded: what modules have taken for themselves before, and what Node does inside.
 */
export function forbidRealTimeAndChance(): void {
  const timers = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'] as const;
  for (const name of timers) replace(globalThis, name, forbidden(name));
  replace(globalThis, 'WeakRef', forbidden('WeakRef'));
  replace(globalThis, 'FinalizationRegistry', forbidden('FinalizationRegistry'));
  replace(Math, 'random', forbidden('Math.random'));
  replace(AbortSignal, 'timeout', forbidden('AbortSignal.timeout'));
  // p-retry looks at it, for a limit that it is never given. That the library does not is a rule of the linter.
  replace(performance, 'now', () => 0);
  replace(process, 'hrtime', forbidden('process.hrtime'));
  replace(crypto, 'randomUUID', forbidden('crypto.randomUUID'));
  replace(crypto, 'getRandomValues', forbidden('crypto.getRandomValues'));
  replace(Date, 'now', forbidden('Date.now'));
  const noPresent = forbidden('new Date()');
  const GuardedDate = new Proxy(Date, {
    construct: (target, args: readonly unknown[]) =>
      args.length === 0 ? noPresent() : (Reflect.construct(target, args) as Date),
  });
  replace(globalThis, 'Date', GuardedDate);
}

function replace(owner: object, name: string, value: unknown): void {
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
}
