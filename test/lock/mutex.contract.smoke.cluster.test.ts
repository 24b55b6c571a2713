import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { mutexContract } from './mutex.contract.js';

describe('a mutex on etcd', () => mutexContract(etcdBackend));
