import { afterAll, beforeAll, beforeEach, describe } from 'vitest';

import type { Backend } from './backend.js';
import { authRow } from './rows/auth.js';
import { clusterRow } from './rows/cluster.js';
import { connectRow } from './rows/connect.js';
import { deleteAndCompactRow } from './rows/delete-and-compact.js';
import { getRow } from './rows/get.js';
import { hotConfigurationRow } from './rows/hot-configuration.js';
import { leaseRow } from './rows/lease.js';
import { maintenanceRow } from './rows/maintenance.js';
import { opAndDoRow } from './rows/op-and-do.js';
import { prefixRow } from './rows/prefix.js';
import { putRow } from './rows/put.js';
import { serviceRegistrationRow } from './rows/service-registration.js';
import { txnRow } from './rows/txn.js';
import { watchRow } from './rows/watch.js';
import { Surface } from './surface.js';

export interface SurfaceOptions {
  readonly start: () => Promise<Backend>;
  /** There is a server, which can be cut off, be full, and be administered. */
  readonly isEtcd: boolean;
  /** Why it cannot be started here: nothing is, and every test is skipped. */
  readonly lacks?: string | undefined;
}

/**
 * What users of etcd find in its own clients, they find in `conclave.store`: a `describe` for each part of it, a test for
 * each claim. The same on every etcd and on the embedded engine. How the store behaves in depth: test/store/contract.ts.
 */
export function surfaceContract({ start, isEtcd, lacks }: SurfaceOptions): void {
  const surface = new Surface();

  beforeAll(async () => {
    if (lacks === undefined) await surface.open(start);
  });
  afterAll(() => surface.close());
  beforeEach((context) => {
    if (lacks !== undefined) context.skip(lacks);
    surface.begin();
  });

  describe('connect', () => connectRow(surface, isEtcd));
  describe('put', () => putRow(surface));
  describe('get', () => getRow(surface));
  describe('prefix', () => prefixRow(surface));
  describe('delete and compact', () => deleteAndCompactRow(surface));
  describe('lease', () => leaseRow(surface));
  describe('service registration', () => serviceRegistrationRow(surface, isEtcd));
  describe('op and do', () => opAndDoRow(surface));
  describe('txn', () => txnRow(surface));
  describe('watch', () => watchRow(surface, isEtcd));
  describe('hot configuration', () => hotConfigurationRow(surface));
  describe('cluster', () => clusterRow(surface, isEtcd));
  describe('auth', () => authRow(surface, isEtcd));
  describe('maintenance', () => maintenanceRow(surface, isEtcd));
}
