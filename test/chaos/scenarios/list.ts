import { positiveControls } from '../controls.js';
import { clocks, leaderClock } from './clocks.js';
import { earlyRevoke } from './early-revoke.js';
import { halfOpen } from './half-open.js';
import { outOfSpace } from './out-of-space.js';
import { kills, manyKills } from './kills.js';
import { allKilled, compactions, leaderless, rollingRestart, soak } from './long.js';
import { lossyNetwork } from './lossy-network.js';
import { lossyQueue } from './lossy-queue.js';
import { lostAnswers } from './lost-answers.js';
import { phantom } from './phantom.js';
import { elections, permits, readersAndWriters } from './primitives.js';
import { queueUnderFaults } from './queues.js';
import { rounds } from './rounds.js';
import type { Scenario } from './scenario.js';
import { shutdown } from './shutdown.js';
import { slowMember } from './slow-member.js';
import { splitBrain } from './split-brain.js';
import { firstLooks, staleWrites } from './stopped-holders.js';

/** In the order of their numbers. */
export const scenarios: readonly Scenario[] = [
  kills,
  manyKills,
  staleWrites,
  firstLooks,
  earlyRevoke,
  phantom,
  lostAnswers,
  clocks,
  leaderClock,
  splitBrain,
  lossyNetwork,
  allKilled,
  compactions,
  outOfSpace,
  rollingRestart,
  leaderless,
  queueUnderFaults,
  lossyQueue,
  permits,
  readersAndWriters,
  elections,
  rounds,
  halfOpen,
  soak,
  shutdown,
  slowMember,
  positiveControls,
];
