import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { rwLockContract } from './rw-lock.contract.js';

describe('a read/write lock on etcd', () => rwLockContract(etcdBackend));
