import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { counterContract } from './counter.contract.js';

describe('counters on the embedded engine', () => counterContract(memoryBackend));
