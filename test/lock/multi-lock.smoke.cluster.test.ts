import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { multiLockContract } from './multi-lock.contract.js';

describe('a multi-lock on etcd', () => multiLockContract(etcdBackend));
