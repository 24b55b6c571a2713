import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { gateContract } from './gate.contract.js';

describe('a gate on the embedded engine', () => gateContract(memoryBackend));
