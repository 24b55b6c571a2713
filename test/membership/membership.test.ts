import { describe } from 'vitest';
import { memoryBackend } from '../store/backends.js';
import { membershipContract } from './membership.contract.js';

describe('on the embedded engine', () => membershipContract(memoryBackend));
