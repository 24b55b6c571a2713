import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { rwLockContract } from './rw-lock.contract.js';

describe('a read/write lock on the embedded engine', () => rwLockContract(memoryBackend));
