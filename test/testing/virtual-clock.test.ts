import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/testing/index.js';

function logTo(log: string[], clock: VirtualClock): (what: string) => () => void {
  return (what) => () => log.push(`${what}@${clock.now()}`);
}

describe('a virtual clock', () => {
  it('fires timers by due time, and those of one time in the order they were set', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const note = logTo(log, clock);
    clock.setTimer(20, note('c'));
    clock.setTimer(10, note('a'));
    clock.setTimer(10, note('b'));

    await clock.advance(100);

    expect(log).toEqual(['a@10', 'b@10', 'c@20']);
    expect(clock.now()).toBe(100);
  });

  it('leaves a timer alone that is due later, and a cancelled one', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    clock.setTimer(11, logTo(log, clock)('late'));
    clock.setTimer(5, logTo(log, clock)('cancelled')).cancel();

    await clock.advance(10);
    expect(log).toEqual([]);

    await clock.advance(1);
    expect(log).toEqual(['late@11']);
  });

  it('settles all promises between two timers of one time', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const note = logTo(log, clock);
    const manyAwaits = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      note('after many awaits')();
    };
    clock.setTimer(10, () => void manyAwaits());
    clock.setTimer(10, note('second'));

    await clock.advance(10);

    expect(log).toEqual(['after many awaits@10', 'second@10']);
  });

  it('fires a timer that another one sets, if it falls due in the same advance', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    clock.setTimer(10, () => clock.setTimer(5, logTo(log, clock)('nested')));

    await clock.advance(15);

    expect(log).toEqual(['nested@15']);
  });

  it('moves for one caller after the other', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    clock.setTimer(10, logTo(log, clock)('x'));

    await Promise.all([clock.advance(5), clock.advance(5), clock.advance(5)]);

    expect(clock.now()).toBe(15);
    expect(log).toEqual(['x@10']);
  });

  it('runs what is wanted soon although nobody moves it', async () => {
    const clock = new VirtualClock();
    await new Promise<void>((resolve) => clock.soon(resolve));
    expect(clock.now()).toBe(0);
  });

  it('tells whoever moves it that a timer threw', async () => {
    const clock = new VirtualClock();
    clock.setTimer(1, () => {
      throw new Error('from the timer');
    });
    await expect(clock.advance(1)).rejects.toThrow('from the timer');
  });

  it('gets whoever waits for a point in time there, however small the rest', async () => {
    const clock = new VirtualClock();
    await clock.advance(66_046 + 1 / 3);
    const until = clock.now() + 1e-11;
    const wait = (): void => {
      if (clock.now() < until) clock.setTimer(1e-13, wait);
    };
    wait();
    await clock.advance(1);
    expect(clock.nextAt).toBeUndefined();
  });

  it('refuses to go back, or to the end of time', () => {
    const clock = new VirtualClock();
    expect(() => clock.advance(-1)).toThrow(RangeError);
    expect(() => clock.advance(Infinity)).toThrow(RangeError);
  });

  it('notices timers that set each other for ever', async () => {
    let drains = 0;
    const clock = new VirtualClock(async () => {
      drains++;
    });
    const again = (): void => void clock.setTimer(0, again);
    again();
    await expect(clock.advance(1)).rejects.toThrow(/for ever/);
    expect(drains).toBeGreaterThan(1_000);
  });
});
