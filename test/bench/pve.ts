/** `npm run bench -- pve`: how fast container configurations are read and written, on one core. */
import { parseConfig, writeConfig } from "../../src/pve/config-text.ts";
import { measure, type Result } from "./measure.ts";
import { report } from "./report.ts";

/** As an administrator has them: a plain container, one with everything, one with pending changes and a snapshot. */
const TYPICAL = [
  `arch: amd64
cores: 2
features: nesting=1
hostname: web1.example.org
memory: 2048
net0: name=eth0,bridge=vmbr0,firewall=1,hwaddr=BC:24:11:3A:00:01,ip=dhcp,type=veth
onboot: 1
ostype: debian
rootfs: local-lvm:vm-100-disk-0,size=8G
swap: 512
unprivileged: 1
`,
  `#Mail gateway
#owner%3A ops@example.org
arch: amd64
cores: 4
cpulimit: 2.5
cpuunits: 200
features: keyctl=1,nesting=1
hostname: mx1
memory: 4096
mp0: tank:subvol-101-disk-1,mp=/var/mail,backup=1,size=100G
mp1: /srv/share,mp=/mnt/share,ro=1
nameserver: 10.0.0.53 2001:db8::53
net0: name=eth0,bridge=vmbr0,gw=10.0.0.1,gw6=fe80::1,hwaddr=BC:24:11:3A:00:02,ip=10.0.0.25/24,ip6=2001:db8::25/64,tag=20,type=veth
net1: name=eth1,bridge=vmbr1,hwaddr=BC:24:11:3A:00:03,ip=manual,mtu=9000,rate=50,type=veth
onboot: 1
ostype: debian
rootfs: tank:subvol-101-disk-0,size=16G
searchdomain: example.org
startup: order=2,up=30
swap: 0
tags: mail;prod
unprivileged: 1
lxc.cap.drop: sys_time
`,
  `arch: amd64
hostname: db2
memory: 8192
net0: name=eth0,bridge=vmbr2,hwaddr=BC:24:11:3A:00:04,ip=172.16.0.9/16,type=veth
ostype: ubuntu
parent: before
rootfs: ceph:vm-102-disk-0,size=64G
swap: 0

[pve:pending]
delete: swap
memory: 16384

[before]
#before the upgrade
arch: amd64
hostname: db2
memory: 4096
net0: name=eth0,bridge=vmbr2,hwaddr=BC:24:11:3A:00:04,ip=172.16.0.9/16,type=veth
ostype: ubuntu
rootfs: ceph:vm-102-disk-0,size=64G
snaptime: 1763769600
swap: 512
`,
];

/** One megabyte that a careless expression would take quadratic time for. */
const HOSTILE = `net0: ${"a=b,".repeat(1 << 17)}\nhostname: ${"a-".repeat(1 << 18)}!\n`;

const ROUNDS = 200;

/** Microseconds to read and write one typical configuration, over {@link ROUNDS} of each. */
export function configRoundtrip(): number {
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round++) {
    for (const text of TYPICAL)
      if (writeConfig(parseConfig(text, 100).config).length === 0) throw new Error("empty");
  }
  return ((performance.now() - start) * 1000) / (ROUNDS * TYPICAL.length);
}

/** Milliseconds to read a hostile configuration of one megabyte and to find all its faults. */
export function hostileConfig(): number {
  const start = performance.now();
  const { warnings } = parseConfig(HOSTILE, 100);
  if (warnings.length !== 2)
    throw new Error(`the hostile configuration has ${warnings.length} faults, not 2`);
  return performance.now() - start;
}

if (import.meta.main) {
  const results: Result[] = [
    // 50 µs are 20,000 configurations a second.
    ...(await measure({
      name: "config-roundtrip",
      unit: "µs",
      ours: configRoundtrip,
      peers: {},
      goal: { ours: 50 },
      samples: 20,
    })),
    ...(await measure({
      name: "config-hostile",
      unit: "ms",
      ours: hostileConfig,
      peers: {},
      goal: { ours: 1000 },
      samples: 10,
    })),
  ];
  report("pve", results);
}
