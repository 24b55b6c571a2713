import type { TestContext } from 'vitest';

/** For `beforeEach`: skips the test, and says why, if this machine cannot do it. */
export function skipIf(reason: string | undefined): (context: TestContext) => void {
  return (context) => {
    if (reason !== undefined) context.skip(reason);
  };
}
