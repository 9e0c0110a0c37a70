import { describe, expect, test } from "bun:test";
import { LxcriError } from "../host/errors.ts";
import { parseConfig, writeConfig } from "./config-text.ts";
import { type ConfigChange, planUpdate, type UpdatePlan } from "./config-update.ts";
import type { HotplugStep } from "./hotplug-steps.ts";
import type { BridgeState } from "./nic-plan.ts";

const BRIDGES: Record<string, BridgeState> = {
  vmbr0: { mtu: 1500, vlanAware: true, ports: ["eno1"] },
  vmbr1: { mtu: 1500, vlanAware: false, ports: ["eno2"] },
  lonely: { mtu: 1500, vlanAware: false, ports: [] },
};

interface Ask {
  set?: Record<string, string>;
  remove?: string[];
  revert?: string[];
  running?: boolean;
  nftables?: boolean;
}

function plan(conf: string, ask: Ask): UpdatePlan {
  const change: ConfigChange = {
    set: new Map(Object.entries(ask.set ?? {})),
    remove: ask.remove ?? [],
    revert: ask.revert ?? [],
  };
  return planUpdate(parseConfig(conf, 100).config, change, {
    vmid: 100,
    running: ask.running ?? true,
    node: { bridge: (name) => BRIDGES[name], nftables: ask.nftables ?? false },
    generateMac: () => "02:00:00:00:00:01",
  });
}

const textAfter = (conf: string, ask: Ask): string => writeConfig(plan(conf, ask).config);
const stepsOf = (conf: string, ask: Ask): HotplugStep[] => plan(conf, ask).steps.map(({ step }) => step);
const doing = (conf: string, ask: Ask): string[] => stepsOf(conf, ask).map((step) => step.do);

const MAC = "hwaddr=BC:24:11:00:00:01";
const nic = (more = ""): string => `name=eth0,bridge=vmbr0,${MAC}${more}`;

describe("where upstream falls short", () => {
  test("interfaces with two digits are unplugged too", () => {
    const result = plan(`net10: ${nic()}\n`, { remove: ["net10"] });
    expect(writeConfig(result.config)).toBe("");
    expect(result.steps).toEqual([{ key: "net10", step: { do: "delete-link", link: "veth100i10" } }]);
  });

  test("a changed MTU reaches the container, a removed one becomes the bridge's", () => {
    expect(stepsOf(`net0: ${nic()}\n`, { set: { net0: nic(",mtu=1400") } })).toEqual([
      { do: "guest-mtu", name: "eth0", mtu: 1400 },
    ]);
    expect(stepsOf(`net0: ${nic(",mtu=1400")}\n`, { set: { net0: nic() } })).toEqual([
      { do: "guest-mtu", name: "eth0", mtu: 1500 },
    ]);
  });

  test("a new or replaced interface has its own MTU inside and the bridge's outside", () => {
    const [added] = stepsOf("", { set: { net0: nic(",mtu=1400") } });
    expect(added).toMatchObject({ do: "create-veth", mtu: 1500, peerMtu: 1400, hwaddr: "BC:24:11:00:00:01" });
    const replaced = stepsOf(`net0: ${nic()}\n`, { set: { net0: nic(",mtu=1400").replace("eth0", "lan0") } });
    expect(replaced.slice(0, 2)).toMatchObject([
      { do: "delete-link", link: "veth100i0" },
      { do: "create-veth", peerMtu: 1400 },
    ]);
  });

  test("changed trunks reach the bridge, behind the firewall too", () => {
    expect(stepsOf(`net0: ${nic(",tag=3")}\n`, { set: { net0: nic(",tag=3,trunks=5;6") } })).toEqual([
      { do: "set-vlans", link: "veth100i0", vlans: { tag: 3, trunks: [5, 6] } },
    ]);
    expect(stepsOf(`net0: ${nic(",firewall=1")}\n`, { set: { net0: nic(",firewall=1,trunks=5") } })).toEqual([
      { do: "set-vlans", link: "fwpr100p0", vlans: { trunks: [5] } },
    ]);
  });

  test("an address named 'manual' is not deleted", () => {
    expect(doing(`net0: ${nic(",ip=manual")}\n`, { set: { net0: nic(",ip=10.0.0.2/24") } })).toEqual([
      "add-address",
      "rewrite-guest-network",
    ]);
  });

  test("the host's DHCP client ends with the interface", () => {
    expect(doing(`net0: ${nic(",host-managed=1,ip=dhcp,ip6=dhcp")}\n`, { remove: ["net0"] })).toEqual([
      "dhcp-stop",
      "dhcp-stop",
      "delete-link",
    ]);
  });

  test("who manages the addresses can change", () => {
    const managed = nic(",host-managed=1,ip=dhcp");
    const own = nic(",ip=dhcp");
    expect(doing(`net0: ${own}\n`, { set: { net0: managed } })).toEqual([
      "dhcp-start",
      "rewrite-guest-network",
    ]);
    expect(doing(`net0: ${managed}\n`, { set: { net0: own } })).toEqual([
      "dhcp-stop",
      "rewrite-guest-network",
    ]);
    expect(doing(`net0: ${nic()}\n`, { set: { net0: nic(",host-managed=1") } })).toEqual([
      "rewrite-guest-network",
    ]);
  });
});

describe("what cannot be plugged waits, and nothing is touched", () => {
  const cases: [string, string, string][] = [
    ["a bridge that is not there", nic().replace("vmbr0", "vmbr9"), "bridge vmbr9 does not exist"],
    ["no bridge", `name=eth0,${MAC}`, "bridge (none) does not exist"],
    ["trunks on a plain bridge", nic(",trunks=5").replace("vmbr0", "vmbr1"), "takes no trunks"],
    ["a VLAN on a bridge without ports", nic(",tag=5").replace("vmbr0", "lonely"), "has no physical port"],
  ];
  for (const [name, value, message] of cases) {
    test(name, () => {
      const before = `net0: ${nic(",type=veth")}\n`;
      const result = plan(before, { set: { net0: value } });
      expect(result.errors.get("net0")).toContain(message);
      expect(result.steps).toEqual([]);
      expect(writeConfig(result.config)).toBe(`${before}\n[pve:pending]\nnet0: ${value}\n`);
    });
  }

  test("other keys of the same change go through", () => {
    const result = plan("", { set: { net0: nic().replace("vmbr0", "vmbr9"), net1: nic() } });
    expect([...result.errors.keys()]).toEqual(["net0"]);
    expect(result.config.values.has("net1")).toBe(true);
    expect(new Set(result.steps.map(({ key }) => key))).toEqual(new Set(["net1"]));
  });
});

describe("a change that is refused as a whole", () => {
  const cases: [string, string, Ask][] = [
    ["required keys stay", "memory: 64\n", { remove: ["memory"] }],
    ["privilege never changes", "", { set: { unprivileged: "1" } }],
    ["nor is it removed", "unprivileged: 1\n", { remove: ["unprivileged"] }],
    ["what is no address", "", { set: { nameserver: "1.1.1.1 x" } }],
    ["a limit that is no number", "", { set: { memory: "much" } }],
    ["an MTU beyond the bridge's", "", { set: { net0: nic(",mtu=9000") } }],
    ["an MTU without a bridge", "", { set: { net0: "name=a,mtu=1400" } }],
    ["ip6=auto by the host", "", { set: { net0: nic(",host-managed=1,ip6=auto") } }],
    ["a malformed interface", "", { set: { net0: "foo" } }],
    ["a malformed mount point", "", { set: { mp0: "local:x" } }],
    ["a device without a path", "", { set: { dev0: "mode=0600" } }],
    ["a protected container's volumes", "protection: 1\nmp0: /a,mp=/a\n", { remove: ["mp0"] }],
    ["or new ones", "protection: 1\n", { set: { rootfs: "local:x" } }],
  ];
  for (const [name, conf, ask] of cases) {
    test(name, () => {
      for (const running of [true, false]) expect(() => plan(conf, { ...ask, running })).toThrow(LxcriError);
    });
  }
});

describe("values as they are stored", () => {
  test("lists are normalized, tags are sorted and unique", () => {
    const set = { nameserver: "1.1.1.1,::1", searchdomain: "a.b;c.d", tags: "B;a,b" };
    expect(textAfter("", { set, running: false })).toBe(
      "nameserver: 1.1.1.1 ::1\nsearchdomain: a.b c.d\ntags: a;b\n",
    );
  });

  test("mount points have their properties in order, new volumes stay as asked for", () => {
    const set = { mp0: "ro=yes,mp=/a,/srv", mp1: "size=2048M,tank:x,mp=/b", mp2: "ro=yes,mp=/c,tank:8" };
    for (const running of [true, false])
      expect(textAfter("", { set, running })).toBe(
        "mp0: /srv,mp=/a,ro=1\nmp1: tank:x,mp=/b,size=2G\nmp2: ro=yes,mp=/c,tank:8\n",
      );
  });

  test("ip6=auto by the host is no matter while the link is down", () => {
    const set = { net0: `name=a,bridge=vmbr0,${MAC},host-managed=1,ip6=auto,link_down=1` };
    expect(plan("", { set, running: false }).config.values.has("net0")).toBe(true);
  });

  test("an interface without a MAC address gets one", () => {
    const set = { net0: "name=a,bridge=vmbr0" };
    expect(textAfter("", { set, running: false })).toBe(
      "net0: name=a,bridge=vmbr0,hwaddr=02:00:00:00:00:01,type=veth\n",
    );
  });

  test("removing what is not set is warned about", () => {
    expect(plan("", { remove: ["swap"] }).warnings).toEqual(["cannot remove 'swap': it is not set"]);
  });
});

describe("a running container", () => {
  test("takes some keys at once and lets others wait", () => {
    const set = { cores: "2", hostname: "x", timezone: "UTC", arch: "arm64" };
    expect(textAfter("arch: amd64\n", { set })).toBe(
      "arch: amd64\ncores: 2\nhostname: x\n\n[pve:pending]\narch: arm64\ntimezone: UTC\n",
    );
    expect(textAfter("tags: a\ntty: 1\n", { remove: ["tags", "tty"] })).toBe(
      "tty: 1\n\n[pve:pending]\ndelete: tty\n",
    );
  });

  test("gets its limits as one step each", () => {
    expect(stepsOf("", { set: { memory: "1024", swap: "1" } })).toEqual([
      { do: "set-memory", max: 1073741824, high: 1065353216, swap: 1048576 },
    ]);
    expect(stepsOf("", { set: { cpulimit: "0.29" } })).toEqual([
      { do: "set-cpu-quota", quota: 28999, period: 100000 },
    ]);
    expect(stepsOf("", { set: { cpulimit: "0" } })).toEqual([{ do: "set-cpu-quota", period: 100000 }]);
    expect(stepsOf("", { set: { cpuunits: "50" } })).toEqual([{ do: "set-cpu-weight", weight: 50 }]);
    expect(
      stepsOf("swap: 1\ncpulimit: 1\ncpuunits: 1\n", { remove: ["swap", "cpulimit", "cpuunits"] }),
    ).toEqual([
      { do: "set-cpu-quota", period: 100000 },
      { do: "set-cpu-weight" },
      { do: "set-memory", swap: 0 },
    ]);
  });

  test("takes a new device and keeps a present one until it restarts", () => {
    expect(stepsOf("", { set: { dev0: "/dev/null" } })).toEqual([
      { do: "add-device", key: "dev0", value: "/dev/null" },
    ]);
    expect(textAfter("dev0: /dev/null\n", { set: { dev0: "/dev/zero" } })).toBe(
      "dev0: /dev/null\n\n[pve:pending]\ndev0: /dev/zero\n",
    );
  });

  test("mounts a new mount point and keeps a present one until it restarts", () => {
    expect(stepsOf("", { set: { mp0: "/a,mp=/a" } })).toEqual([
      { do: "mount", key: "mp0", value: "/a,mp=/a" },
    ]);
    expect(textAfter("mp0: /a,mp=/a\n", { set: { mp0: "/b,mp=/a" } })).toBe(
      "mp0: /a,mp=/a\n\n[pve:pending]\nmp0: /b,mp=/a\n",
    );
  });

  test("loses an unused volume for good, unless a snapshot has it", () => {
    const unused = "unused0: local:x\n";
    expect(stepsOf(unused, { remove: ["unused0"] })).toEqual([{ do: "delete-volume", volume: "local:x" }]);
    expect(stepsOf(`${unused}[s1]\nmp0: local:x,mp=/a\n`, { remove: ["unused0"] })).toEqual([]);
  });

  test("behind nftables needs no firewall bridge", () => {
    expect(doing("", { set: { net0: nic(",firewall=1") }, nftables: true })).toEqual([
      "create-veth",
      "add-port",
      "limit-rate",
      "link-up",
      "move-into-container",
      "guest-link-up",
    ]);
  });

  test("gets a host route to a gateway outside its subnet", () => {
    const far = nic(",ip=10.0.0.2/24,gw=10.9.9.9");
    expect(stepsOf("", { set: { net0: far } }).slice(-4)).toEqual([
      { do: "add-address", family: 4, name: "eth0", address: "10.0.0.2/24" },
      { do: "add-host-route", family: 4, name: "eth0", to: "10.9.9.9" },
      { do: "set-default-route", family: 4, gateway: "10.9.9.9" },
      { do: "rewrite-guest-network" },
    ]);
    expect(doing(`net0: ${far}\n`, { set: { net0: nic(",ip=10.0.0.2/24") } })).toEqual([
      "delete-default-route",
      "delete-host-route",
      "rewrite-guest-network",
    ]);
  });

  test("an interface that is down has no port to change", () => {
    expect(
      doing(`net0: ${nic(",link_down=1")}\n`, { set: { net0: nic(",link_down=1,rate=5,trunks=3") } }),
    ).toEqual([]);
  });

  test("removal with a change that waits: first the one, then the other", () => {
    const conf = `net0: ${nic()}\n\n[pve:pending]\nnet0: ${nic(",tag=5")}\n`;
    expect(doing(conf, { remove: ["net0"] }).slice(0, 2)).toEqual(["delete-link", "create-veth"]);
  });
});

describe("a stopped container", () => {
  test("keeps the volume of a mount point that goes or is replaced", () => {
    const conf = "mp0: local:a,mp=/a\nmp1: local:b,mp=/b\nmp2: /srv,mp=/c\nunused0: local:z\n";
    const ask: Ask = { remove: ["mp0", "mp2"], set: { mp1: "local:c,mp=/b" }, running: false };
    expect(textAfter(conf, ask)).toBe(
      "mp1: local:c,mp=/b\nunused0: local:z\nunused1: local:a\nunused2: local:b\n",
    );
  });

  test("notes a volume once, and not while another mount point has it", () => {
    expect(textAfter("mp0: local:a,mp=/a\nunused5: local:a\n", { remove: ["mp0"], running: false })).toBe(
      "unused5: local:a\n",
    );
    expect(textAfter("mp0: local:a,mp=/a\nmp1: local:a,mp=/b\n", { remove: ["mp0"], running: false })).toBe(
      "mp1: local:a,mp=/b\n",
    );
    expect(textAfter("mp0: local:a,mp=/a\n", { set: { mp0: "local:a,mp=/b" }, running: false })).toBe(
      "mp0: local:a,mp=/b\n",
    );
  });

  test("with every unused entry taken keeps the mount point and says so", () => {
    const full = Array.from({ length: 256 }, (_, index) => `unused${index}: local:x${index}\n`).join("");
    const result = plan(`${full}mp0: local:a,mp=/a\n`, { remove: ["mp0"], running: false });
    expect(result.errors.get("mp0")).toContain("all unused entries are taken");
    expect(result.config.values.get("mp0")).toBe("local:a,mp=/a");
  });

  test("loses an unused volume", () => {
    const result = plan("unused0: local:a\n", { remove: ["unused0"], running: false });
    expect(result.steps.map(({ step }) => step)).toEqual([{ do: "delete-volume", volume: "local:a" }]);
  });
});

test("reverting drops a waiting change or removal", () => {
  const conf = "swap: 1\ntty: 1\n[pve:pending]\ndelete: swap,!tty\nmemory: 64\n";
  expect(textAfter(conf, { revert: ["swap", "memory"] })).toBe(
    "swap: 1\ntty: 1\n\n[pve:pending]\ndelete: !tty\n",
  );
});

test("planning leaves the current configuration as it is", () => {
  const { config } = parseConfig("memory: 64\n", 100);
  const node = { bridge: () => undefined, nftables: false };
  planUpdate(
    config,
    { set: new Map([["memory", "65"]]) },
    { vmid: 100, running: false, node, generateMac: () => "" },
  );
  expect(writeConfig(config)).toBe("memory: 64\n");
});
