import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { queueContract } from './queue.contract.js';

describe('a queue of jobs on the embedded engine', () => queueContract(memoryBackend));
