// SPDX-License-Identifier: AGPL-3.0-or-later

import { join } from 'node:path';

export interface CephLayout {
  readonly dir: string;
  readonly fsid: string;
  readonly monitorPort: number;
  readonly monitorV1Port: number;
  readonly gatewayPort: number;
  readonly objectStore: 'memstore' | 'bluestore';
}

/** The configuration of a Ceph of one machine, without authentication between its parts and without copies. */
export function cephConf({ dir, fsid, monitorPort, monitorV1Port, gatewayPort, objectStore }: CephLayout): string {
  return `
[global]
fsid = ${fsid}
mon_host = [v2:127.0.0.1:${monitorPort},v1:127.0.0.1:${monitorV1Port}]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = ${join(dir, 'run')}
# No sockets: their paths would be too long in a deep temporary directory.
admin_socket =
pid_file = ${join(dir, 'run', '$name.pid')}
log_file = ${join(dir, 'log', '$name.log')}
crash_dir = ${join(dir, 'run')}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
# Monitors gather changes for a second before they agree on them. A start takes a dozen agreements, each waited for.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
[mon.a]
mon_data = ${join(dir, 'mon')}
[osd.0]
osd_data = ${join(dir, 'osd')}
osd_objectstore = ${objectStore}
memstore_device_bytes = 2147483648
bluestore_block_size = 4294967296
bluestore_block_create = true
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1
rgw_dns_name = localhost
rgw_thread_pool_size = 32
rgw_run_sync_thread = false
# Its default, secure, is impossible without authentication: the gateway would wait for ever.
ms_mon_client_mode = crc
auth_client_required = none
`;
}
