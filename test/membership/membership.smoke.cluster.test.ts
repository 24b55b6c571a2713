import { describe } from 'vitest';
import { etcdBackend } from '../store/backends.js';
import { membershipContract } from './membership.contract.js';

describe('on etcd', () => membershipContract(etcdBackend));
