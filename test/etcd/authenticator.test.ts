import { describe, expect, it } from 'vitest';

import { Authenticator } from '../../src/etcd/authenticator.js';

/** Logins that a test answers one by one. */
function logins() {
  const asked: { succeed(token: string): void; fail(error: Error): void }[] = [];
  const authenticator = new Authenticator(
    () => new Promise((succeed, fail) => asked.push({ succeed, fail })),
  );
  return { authenticator, asked };
}

describe('an authenticator', () => {
  it('logs in once for all who wait, streams included', async () => {
    const { authenticator, asked } = logins();
    const tokens = [authenticator.token(), authenticator.fresh(), authenticator.token()];
    asked[0]!.succeed('one');
    expect(await Promise.all(tokens)).toEqual(['one', 'one', 'one']);
    expect(asked).toHaveLength(1);
  });

  it('renews a refused token once, whoever reports it and however late', async () => {
    const { authenticator, asked } = logins();
    const first = authenticator.token();
    asked[0]!.succeed('old');
    await first;
    const renewals = [authenticator.renewed('old'), authenticator.renewed('old')];
    await Promise.resolve();
    asked[1]!.succeed('new');
    expect(await Promise.all(renewals)).toEqual(['new', 'new']);
    expect(await authenticator.renewed('old')).toBe('new');
    expect(asked).toHaveLength(2);
  });

  it('tries again after a login that failed', async () => {
    const { authenticator, asked } = logins();
    const failed = authenticator.token();
    asked[0]!.fail(new Error('away'));
    await expect(failed).rejects.toThrow('away');
    const next = authenticator.token();
    asked[1]!.succeed('one');
    expect(await next).toBe('one');
  });

  it('gives a stream a token of its own once the login before is done', async () => {
    const { authenticator, asked } = logins();
    const first = authenticator.token();
    asked[0]!.succeed('one');
    await first;
    const fresh = authenticator.fresh();
    asked[1]!.succeed('two');
    expect([await fresh, await authenticator.token()]).toEqual(['two', 'two']);
  });
});
