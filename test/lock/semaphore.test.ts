import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { semaphoreContract } from './semaphore.contract.js';

describe('a semaphore on the embedded engine', () => semaphoreContract(memoryBackend));
