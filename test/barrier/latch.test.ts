import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { latchContract } from './latch.contract.js';

describe('a latch on the embedded engine', () => latchContract(memoryBackend));
