import { describe } from 'vitest';

import { etcdBackend } from './backends.js';
import { storeContract } from './contract.js';

describe('the store on etcd', () => storeContract(etcdBackend));
