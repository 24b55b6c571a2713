import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { cyclicBarrierContract } from './cyclic-barrier.contract.js';

describe('a cyclic barrier on the embedded engine', () => cyclicBarrierContract(memoryBackend));
