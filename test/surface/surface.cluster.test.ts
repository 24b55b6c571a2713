import { describe } from 'vitest';

import { etcdVersions, lacks, nameOf } from '../rig/etcd-version.js';
import { etcdBackend, memoryBackend } from './backend.js';
import { surfaceContract } from './surface.contract.js';

for (const version of etcdVersions)
  describe(`the client surface on ${nameOf(version)}`, () =>
    surfaceContract({ start: () => etcdBackend(version), isEtcd: true, lacks: lacks(version) }));

describe('the client surface on the embedded engine', () =>
  surfaceContract({ start: memoryBackend, isEtcd: false }));
