import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { InvalidValueError, isConclaveError } from '../../src/base/errors.js';
import {
  checkSchema,
  type InferInput,
  type InferOutput,
  type SchemaResult,
  type StandardSchema,
  validate,
} from '../../src/base/schema.js';

type Answer = SchemaResult<number> | Promise<SchemaResult<number>>;

function schema(answer: (value: unknown) => Answer): StandardSchema<unknown, number> {
  return { '~standard': { version: 1, vendor: 'test', validate: answer } };
}

async function refusal(schema: StandardSchema, value: unknown): Promise<InvalidValueError> {
  const error: unknown = await validate(schema, value, 'job "17"').catch((reason: unknown) => reason);
  if (!(error instanceof InvalidValueError)) throw new Error(`refused with ${String(error)}`);
  return error;
}

describe('a schema', () => {
  it.each([
    ['at once', (value: unknown) => ({ value: Number(value) })],
    ['later', async (value: unknown) => ({ value: Number(value) })],
  ])('that answers %s gives the value that it has made', async (_, answer) => {
    expect(await validate(schema(answer), '5', 'it')).toBe(5);
  });

  it('that refuses is an error which says where and why', async () => {
    const issues = [
      { message: 'must be positive', path: ['items', 0, { key: 'unit price' }, { key: 'é' }] },
      { message: 'is missing', path: ['name'] },
      { message: 'is strange', path: [] },
    ];
    const error = await refusal(
      schema(() => ({ issues })),
      {},
    );

    expect(error.message).toBe(
      'job "17" is not valid: items[0]["unit price"].é: must be positive; name: is missing; is strange',
    );
    expect(error.issues).toEqual([
      { message: 'must be positive', path: ['items', 0, 'unit price', 'é'] },
      { message: 'is missing', path: ['name'] },
      { message: 'is strange' },
    ]);
    expect(isConclaveError(error, 'INVALID_VALUE')).toBe(true);
  });

  it('that refuses for many reasons has the first of them in the message, and all in the error', async () => {
    const issues = Array.from({ length: 1_000 }, (_, i) => ({ message: `wrong ${i}` }));
    const error = await refusal(
      schema(async () => ({ issues })),
      {},
    );
    expect(error.message).toBe('job "17" is not valid: wrong 0; wrong 1; wrong 2; and 997 more');
    expect(error.issues).toHaveLength(1_000);
  });

  it('that refuses for no reason refuses all the same', async () => {
    const error = await refusal(
      schema(() => ({ issues: [] })),
      {},
    );
    expect(error.message).toBe('job "17" is not valid: no reason given');
  });

  it('keeps secrets of the value out of the error', async () => {
    const path = [{ key: 'password', input: { password: 'secret' }, value: 'secret' }];
    const error = await refusal(
      schema(() => ({ issues: [{ message: 'too short', path }] })),
      {},
    );
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it.each([
    ['throws', () => Promise.reject(new Error('no connection')), 'no connection'],
    ['throws what is no error', () => Promise.reject('no connection'), 'no connection'],
    ['answers nothing', () => undefined as unknown as Answer, 'the schema has answered nothing'],
    ['answers null', () => null as unknown as Answer, 'the schema has answered nothing'],
  ])('that %s refuses the value, and the cause says so', async (_, answer, message) => {
    const error = await refusal(schema(answer), {});
    expect(error.message).toBe(`job "17" cannot be checked: ${message}`);
    expect(error).toMatchObject({ issues: [{ message }], cause: expect.anything() as unknown });
  });

  it('that throws at once refuses the value, too', async () => {
    const cause = new TypeError('x is not a function');
    const throwing = schema(() => {
      throw cause;
    });
    expect(await refusal(throwing, {})).toMatchObject({ cause, issues: [{ message: cause.message }] });
  });
});

describe('any library that follows Standard Schema will do:', () => {
  const zod = z.object({ name: z.string(), tries: z.coerce.number().default(3) });
  const valibot = v.object({
    name: v.string(),
    tries: v.optional(v.pipe(v.string(), v.transform(Number)), '3'),
  });
  const laterZod = zod.refine(async ({ name }) => name !== 'taken', { path: ['name'], message: 'is taken' });
  const laterValibot = v.pipeAsync(
    valibot,
    v.forwardAsync(
      v.checkAsync(async ({ name }) => name !== 'taken', 'is taken'),
      ['name'],
    ),
  );

  it.each([
    ['zod', zod],
    ['zod, asynchronous', laterZod],
    ['valibot', valibot],
    ['valibot, asynchronous', laterValibot],
  ])('%s', async (_, each) => {
    expect(await validate(checkSchema(each, 'schema'), { name: 'a', tries: '5' }, 'it')).toEqual({
      name: 'a',
      tries: 5,
    });
    expect(await validate(each, { name: 'a' }, 'it')).toEqual({ name: 'a', tries: 3 });
    expect((await refusal(each, { name: 5 })).issues).toMatchObject([{ path: ['name'] }]);
  });

  it.each([
    ['zod', laterZod],
    ['valibot', laterValibot],
  ])('%s, with what it finds out later', async (_, each) => {
    expect((await refusal(each, { name: 'taken' })).message).toBe('job "17" is not valid: name: is taken');
  });

  it('its types are ours', () => {
    expectTypeOf<InferInput<typeof valibot>>().toEqualTypeOf<{ name: string; tries?: string | undefined }>();
    expectTypeOf<InferOutput<typeof valibot>>().toEqualTypeOf<{ name: string; tries: number }>();
    expectTypeOf<InferInput<typeof zod>>().toEqualTypeOf<{ name: string; tries?: unknown }>();
    expectTypeOf<InferOutput<typeof zod>>().toEqualTypeOf<{ name: string; tries: number }>();
    expectTypeOf(validate<typeof zod>).returns.resolves.toEqualTypeOf<{ name: string; tries: number }>();
  });
});

describe('checkSchema', () => {
  it('takes a schema that is a function', () => {
    const callable = Object.assign(
      () => {},
      schema(() => ({ value: 1 })),
    );
    expect(checkSchema(callable, 'schema')).toBe(callable);
  });

  it.each([
    undefined,
    null,
    'string',
    {},
    () => true,
    { '~standard': null },
    { '~standard': { version: 1 } },
    { '~standard': { version: 2, validate: () => ({}) } },
    { '~standard': { version: 1, validate: 'yes' } },
  ])('refuses what is none: %j', (other) => {
    expect(() => checkSchema(other as unknown as StandardSchema, 'queue "q": schema')).toThrow(
      /^queue "q": schema/,
    );
    expect(() => checkSchema(other as unknown as StandardSchema, 'it')).toThrow(TypeError);
  });
});
