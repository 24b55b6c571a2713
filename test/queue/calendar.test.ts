import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { calendarOf, checkTiming, type CheckedTiming, type Timing } from '../../src/queue/calendar.js';

const at = (text: string): number => Date.parse(text);
const iso = (times: readonly (number | undefined)[]): (string | undefined)[] =>
  times.map((time) => (time === undefined ? undefined : new Date(time).toISOString()));

/** The first instants after a time. */
async function following(
  timing: CheckedTiming,
  after: string,
  count: number,
): Promise<(string | undefined)[]> {
  const calendar = await calendarOf(timing, at(after), 'test');
  const instants: number[] = [];
  let last: number | undefined = at(after);
  while (instants.length < count && (last = calendar.next(last)) !== undefined) instants.push(last);
  return iso(instants);
}

describe('a cron expression', () => {
  it('for 02:30 in Berlin fires at 03:00 on the day that leaves it out', async () => {
    const timing = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
    expect(await following(timing, '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
  });

  it('for 02:30 in Berlin fires once on the day that has it twice, from wherever one looks', async () => {
    const timing = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
    expect(await following(timing, '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
    for (const between of ['2026-10-25T00:45:00Z', '2026-10-25T01:15:00Z'])
      expect(await following(timing, between, 1)).toEqual(['2026-10-26T01:30:00.000Z']);
  });

  it('for every half hour in Berlin goes on every half hour when the clocks are changed', async () => {
    const timing = { cron: '*/30 * * * *', timeZone: 'Europe/Berlin' };
    for (const day of ['2026-03-29', '2026-10-25']) {
      const instants = await following(timing, `${day}T00:00:00Z`, 6);
      expect(instants).toEqual(
        Array.from({ length: 6 }, (_, i) => new Date(at(`${day}T00:30:00Z`) + i * 1_800_000).toISOString()),
      );
    }
  });
});

it('the latest instants are the last ones of all, however many there are', async () => {
  const timings: CheckedTiming[] = [
    { cron: '*/7 * * * * *', timeZone: 'UTC' },
    { cron: '*/5 * * * *', timeZone: 'Europe/Berlin' },
    { cron: '30 2 * * *', timeZone: 'Europe/Berlin' },
    { cron: '0 0 1 1 *', timeZone: 'Asia/Kolkata' },
    { everyMs: 90_000 },
    { everyMs: 7_777_777 },
  ];
  const since = at('2026-10-24T22:13:20.123Z');
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...timings),
      fc.integer({ min: -10_000, max: 7_200_000 }),
      fc.oneof(fc.integer({ min: -10_000, max: 20_000 }), fc.integer({ min: 0, max: 14_400_000 })),
      fc.integer({ min: 1, max: 20 }),
      async (timing, offset, length, count) => {
        const calendar = await calendarOf(timing, since, 'test');
        const [after, until] = [since + offset, since + offset + length];
        const all: number[] = [];
        for (let next = calendar.next(after); next !== undefined && next <= until; next = calendar.next(next))
          all.push(next);
        expect(calendar.latest(count, after, until)).toEqual(all.slice(-count));
      },
    ),
    { numRuns: 200 },
  );
});

it('years of seconds are not walked through for the latest of them', async () => {
  const calendar = await calendarOf({ cron: '* * * * * *', timeZone: 'UTC' }, 0, 'test');
  const until = at('2026-01-01T00:00:00Z');
  expect(iso(calendar.latest(2, 0, until))).toEqual(['2025-12-31T23:59:59.000Z', '2026-01-01T00:00:00.000Z']);
});

it.each<[string, unknown, string | RegExp]>([
  ['nothing', {}, 'needs { cron } or { everyMs }'],
  ['both', { cron: '* * * * *', everyMs: 1_000 }, 'needs { cron } or { everyMs }'],
  ['a text', '* * * * *', 'options must be an object'],
  ['an unknown option', { cron: '* * * * *', tz: 'UTC' }, '"tz"'],
  ['an interval that is too short', { everyMs: 999 }, 'everyMs must be a whole number from 1000'],
  ['an interval that is no number', { everyMs: '5m' }, 'everyMs must be a number'],
  ['a time zone without cron', { everyMs: 5_000, timeZone: 'UTC' }, 'timeZone goes with cron'],
  [
    'a time zone that does not exist',
    { cron: '* * * * *', timeZone: 'Mars/Base' },
    'no such time zone: "Mars/Base"',
  ],
  ['a time zone that is no text', { cron: '* * * * *', timeZone: 1 }, 'timeZone must be a string'],
  ['four fields', { cron: '* * * *' }, 'must have five fields'],
  ['seven fields', { cron: '0 0 0 1 1 * 2020' }, 'must have five fields'],
  ['a date', { cron: '2027-01-01T00:00:00' }, 'must have five fields'],
  ['a minute that does not exist', { cron: '61 * * * *' }, /"61 \* \* \* \*": .*minute/],
  ['what is no text', { cron: 5 }, 'cron must be a string'],
  ['a day that never comes', { cron: '0 0 30 2 *' }, 'never fires'],
  ['a time that is none', { cron: '@reboot' }, '@reboot'],
])('a schedule with %s is refused', async (_, timing, message) => {
  await expect(checkTiming(timing as Timing, 0, 'here')).rejects.toThrow(message);
});
