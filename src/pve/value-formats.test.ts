import { describe, expect, test } from "bun:test";
import { matchesFormat } from "./value-formats.ts";

/** Format, texts that have it, texts that do not. */
const CASES: [format: string, good: string[], bad: string[]][] = [
  ["ipv4", ["0.0.0.0", "255.255.255.255", "1.2.3.4"], ["256.1.1.1", "01.2.3.4", "1.2.3", "1.2.3.4.5", ""]],
  [
    "ipv6",
    [
      "::",
      "::1",
      "1::",
      "1:2:3:4:5:6:7:8",
      "::2:3:4:5:6:7:8",
      "1:2:3:4:5:6:7::",
      "::ffff:1.2.3.4",
      "a:b:c:d:e:f:1.2.3.4",
    ],
    [
      ":",
      ":::",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1::2::3",
      "1:2:3:4:5:6:7::8",
      "1.2.3.4::",
      "12345::",
      "fe80::1%e",
    ],
  ],
  ["ip", ["1.2.3.4", "::1"], ["x"]],
  ["CIDRv4", ["10.0.0.0/8", "1.2.3.4/032"], ["10.0.0.0/7", "10.0.0.0/33", "10.0.0.0", "10.0.0.0/ 8", "x/8"]],
  ["CIDRv6", ["::/8", "fe80::1/128"], ["::/7", "::/129", "::"]],
  ["CIDR", ["10.0.0.0/8", "::/8"], ["10.0.0.0/64x"]],
  [
    "IPorCIDR",
    ["10.0.0.0", "0.0.0.0/0", "::/0"],
    ["10.0.0.0/33", "::/129", "a", "10.0.0.0/8/8", "10.0.0.1/24"],
  ],
  ["IPorCIDRorAlias", ["dc/web", "web", "10.0.0.1"], ["-", "a b"]],
  [
    "mac-addr",
    ["BC:24:11:00:00:01", "00:00:00:00:00:00"],
    ["01:00:5e:00:00:01", "BC2411000001", "bc:24:11:0:0:1"],
  ],
  ["dns-name", ["a", "a-b.C1", "xn--bcher-kva.example"], ["", "a.", ".a", "-a", "a-", "a_b", "a..b"]],
  ["dns-name-list", ["", "a b", "a,b;c"], ["a -b"]],
  ["address", ["h.example", "::1"], ["_"]],
  ["pve-iface", ["eth0", "eth0.100", "eth0:1"], ["e", "0a", "eth0.", "a".repeat(23)]],
  ["lxc-ip-with-ll-iface-list", ["fe80::1%eth0 1.1.1.1", "::1"], ["fe80::1%e", "2001::1%eth0"]],
  ["pve-configid", ["ab", "a_-9"], ["a", "9a", "a.b"]],
  ["pve-configid-opt", ["", "ab"], ["a"]],
  ["pve-vmid", ["100", "999999999"], ["99", "1000000000", "0100"]],
  ["pve-node", ["n1", "a-b"], ["-a", "n_1", ""]],
  ["pve-storage-id", ["lo", "a.b_c-d"], ["l", "1a", "a-"]],
  ["pve-volume-id", ["local:x", "tank:a/b c"], ["a:b", "local:", "/srv/x", ":x"]],
  ["pve-bridge-id", ["vmbr0", "a.b-c_d"], ["a b", ""]],
  ["pve-poolid", ["p", "p/q/r"], ["p/q/r/s", "/p", "p//q"]],
  ["pve-tag-list", ["a;b", "a+b.c", "_x"], ["-a"]],
  ["pve-vlan-id-or-range", ["2", "4094", "2-5"], ["0", "1", "4095", "5-2", "5-5", "2-4095", "x"]],
  ["pve-lxc-mp-string", ["/a b", "rel", "/ü", "/a/.b"], ["/a/../b", "/a/.", "../x"]],
  ["pve-lxc-dev-string", ["/dev/null", "/dev/dri/x"], ["/dev", "/etc/passwd", "/dev/../x", "/dev/x/./y"]],
  ["pve-startup-order", ["1", "order=1,up=2,down=3", "1,,2"], ["", "0", "x", "up=", "order=1 ,up=2"]],
  ["pve-ct-timezone", ["UTC", "host", "Europe/Vienna"], ["Mars/X", "europe/vienna"]],
  ["disk-size", ["1", "1.5T", "2TiB", "1KiB"], ["", "-1", "1KB", "4 G", "1iB"]],
  ["storage-pair-list", ["1", "ab:cd", "ab"], ["a:b", ":cd"]],
  ["bridge-pair-list", ["vmbr0:vmbr1"], ["a b:c!"]],
  ["pve-storage-content", ["iso"], ["nothing"]],
  ["pve-task-status-type-list", ["OK,error"], ["fine"]],
  ["pve-realm", ["pam"], ["p", "1pam"]],
  ["pve-priv-list", ["VM.Audit,Sys.Modify"], ["Audit"]],
  ["pve-sdn-zone-id", ["ab", "abcdefgh"], ["a", "abcdefghi", "1ab", "a-b"]],
  ["pve-sdn-ipam-id", ["pve", "abcdefghij"], ["p", "a-b"]],
  ["pve-sdn-controller-id", ["c1", "a_b-c"], ["c", "c-"]],
  ["pve-sdn-fabric-id", ["f", "f-1"], ["f-", "abcdefghi"]],
  ["pve-sdn-subnet-id", ["10.0.0.0/24", "z1-10.0.0.0-24", "z1-fd00::-64"], ["10.0.0.0/33", "z1", "z1-x-24"]],
  ["pve-sdn-bgp-rt-list", ["65000:1", "4294967295:4294967295"], ["65000", "4294967296:1"]],
  ["pve-sdn-isis-net", ["49.0001.1921.6800.1002.00"], ["49.0001.00", "zz"]],
  ["pve-fw-icmp-type-spec", ["", "echo-request"], ["ping"]],
  ["pve-fw-protocol-spec", ["", "tcp", "icmpv6", "17"], ["tpc", "999"]],
  [
    "pve-fw-sport-spec",
    ["80", "80:90", "http,https", ""],
    ["90:80", "65536", "echo-request", "80,,90", `${"1:2,".repeat(8)}3`],
  ],
  ["pve-fw-dport-spec", ["echo-request"], ["80,echo-request"]],
  [
    "pve-fw-addr-spec",
    ["+set", "dc/alias", "10.0.0.1", "10.0.0.1-10.0.0.9", "10.0.0.0/8,1.2.3.4", ""],
    ["10.0.0.1,::1", "10.0.0.1-10.0.0.9,1.2.3.4", "1.2.3", "a", "10.0.0.1,"],
  ],
  ["no-such-format", [], ["", "x"]],
  ["no-such-format-list", [], ["", "x"]],
  ["no-such-format-opt", [], ["", "x"]],
];

for (const [format, good, bad] of CASES) {
  describe(format, () => {
    for (const text of good) test(`accepts '${text}'`, () => expect(matchesFormat(format, text)).toBe(true));
    for (const text of bad) test(`refuses '${text}'`, () => expect(matchesFormat(format, text)).toBe(false));
  });
}
