import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { latchContract } from './latch.contract.js';

describe('a latch on etcd', () => latchContract(etcdBackend));
