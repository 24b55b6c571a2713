import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { configContract } from './config.contract.js';

describe('live configuration on the embedded engine', () => configContract(memoryBackend));
