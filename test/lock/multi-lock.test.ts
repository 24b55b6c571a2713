import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { multiLockContract } from './multi-lock.contract.js';

describe('a multi-lock on the embedded engine', () => multiLockContract(memoryBackend));
