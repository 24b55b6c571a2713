import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { doubleBarrierContract } from './double-barrier.contract.js';

describe('a double barrier on the embedded engine', () => doubleBarrierContract(memoryBackend));
