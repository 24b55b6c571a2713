import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { mutexContract } from './mutex.contract.js';

describe('a mutex on the embedded engine', () => mutexContract(memoryBackend));
