import { describe } from 'vitest';

import { atomicallyContract } from './atomically.contract.js';
import { etcdBackend } from './backends.js';

describe('atomically on etcd', () => atomicallyContract(etcdBackend));
