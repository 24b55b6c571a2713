import { describe, expect, it } from 'vitest';
import { FirstJobs, manyJobs } from '../../src/queue/first-jobs.js';
import { Lane } from '../../src/queue/lane.js';
import type { WaitingJob } from '../../src/queue/search.js';

function job(number: number, priority = 0): WaitingJob {
  const lane = new Lane('ready/', 'floor/', priority);
  const id = String(number);
  return {
    id,
    lane,
    key: lane.keyOf(BigInt(number), 0, id),
    modRevision: 1n,
    record: { failures: 0, crashes: 0 },
  };
}

const ids = (jobs: FirstJobs): string[] => jobs.all.map(({ id }) => id);

describe('the first jobs, as far as they are known', () => {
  it('are in order: the most urgent first, then by their keys', () => {
    const jobs = new FirstJobs();
    jobs.begin([], 16);

    for (const each of [job(5), job(3), job(9, 1), job(4), job(7, 1)]) jobs.put(each);

    expect(ids(jobs)).toEqual(['7', '9', '3', '4', '5']);
    expect(jobs.isCut).toBe(false);
  });

  it('have no gap: behind what a search has found others may stand, so what comes there is left out', () => {
    const jobs = new FirstJobs();
    jobs.begin([job(2), job(5)], 2);

    jobs.put(job(90));
    jobs.put(job(3));
    jobs.remove(job(2).key);
    jobs.remove(job(3).key);
    jobs.remove(job(5).key);
    jobs.put(job(91));

    expect(ids(jobs)).toEqual([]);
    expect(jobs.isCut).toBe(true);
  });

  it('have no gap when there are more than are kept in mind', () => {
    const jobs = new FirstJobs();
    jobs.begin([], 16);
    for (let i = 0; i <= manyJobs; i++) jobs.put(job(i));
    expect(jobs.isCut).toBe(true);

    for (let i = 0; i < manyJobs; i++) jobs.remove(job(i).key);
    jobs.put(job(5_000));

    expect(ids(jobs)).toEqual([]);
  });

  it('are nothing before a search', () => {
    const jobs = new FirstJobs();
    jobs.put(job(1));
    expect(ids(jobs)).toEqual([]);
  });

  it('list a job once though it is told of twice', () => {
    const jobs = new FirstJobs();
    jobs.begin([job(1)], 16);
    jobs.put(job(1));
    expect(ids(jobs)).toEqual(['1']);
  });
});
