import { expect, it } from 'vitest';
import { findShortest, propertyTimeoutMs } from './property.js';
import { runQueue } from './queue/run.js';
import { queueSchedules } from './queue/steps.js';

const interesting = [
  'job put',
  'job retried',
  'job dropped',
  'job moved',
  'job claimed',
  'job lost',
  'job asked',
  'job failed',
  'job returned',
  'job crashed',
  'job completed',
  'job cancelled',
  'job dead',
  'receive: WAIT_TIMEOUT',
  'receive: cancelled',
  'ack: HOLD_LOST',
  'queue.reclaimed',
  'queue.promoted',
];

it(
  'a queue keeps to its model, with sessions, answers and processes lost at any step',
  { timeout: propertyTimeoutMs },
  async () => {
    expect(
      await findShortest({
        name: 'queue',
        schedules: queueSchedules(),
        run: runQueue,
        interesting,
        usualRuns: 60,
      }),
    ).toBe('');
  },
);
