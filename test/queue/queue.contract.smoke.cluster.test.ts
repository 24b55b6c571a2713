import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { queueContract } from './queue.contract.js';

describe('a queue of jobs on etcd', () => queueContract(etcdBackend));
