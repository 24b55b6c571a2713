import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { semaphoreContract } from './semaphore.contract.js';

describe('a semaphore on etcd', () => semaphoreContract(etcdBackend));
