// SPDX-License-Identifier: AGPL-3.0-or-later
import { openS3Store } from '../../src/archive/s3-store.ts';
import { newBucket } from '../archive/store/s3-subject.ts';
import { holdSuite } from './holds.ts';

// On a real Ceph: what it answers about holds is what it keeps.
holdSuite('in a bucket', async () => openS3Store({ ...(await newBucket()), maxRetainDays: 4000 }), { files: true });
