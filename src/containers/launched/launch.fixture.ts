/** For tests: an image, a request and facts of a node, to be changed where a test cares. */
import { digestOf } from "../../spec/digest.ts";
import type { LaunchFacts } from "./plan-config.ts";
import type { LaunchImage, LaunchImageConfig, LaunchRequest } from "./request.ts";

export const imageWith = (
  config: Partial<LaunchImageConfig> = {},
  kind: LaunchImage["kind"] = "application",
): LaunchImage => ({
  name: "example.org/image:1",
  digest: digestOf("image"),
  config: { Env: [], Cmd: ["serve"], User: "", WorkingDir: "", Labels: {}, Volumes: [], ...config },
  layers: [],
  kind,
});

export const requestWith = (changes: Partial<LaunchRequest> = {}): LaunchRequest => ({
  command: [],
  env: [],
  labels: {},
  mounts: [],
  devices: [],
  capAdd: [],
  capDrop: [],
  privileged: false,
  nesting: false,
  readOnly: false,
  network: { kind: "none" },
  tty: false,
  interactive: false,
  detach: true,
  remove: false,
  ...changes,
});

const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

export const factsWith = (changes: Partial<LaunchFacts> = {}): LaunchFacts => ({
  id: "web",
  rootfs: "../rootfs",
  user: { uid: 0, gid: 0, additionalGids: [], home: "/root" },
  idMaps: { uidMappings: mapping, gidMappings: mapping },
  mounts: [],
  volumes: new Map(),
  devices: [],
  lxcfs: [],
  architecture: "x64",
  appArmorProfiles: new Set(),
  identity: { hostname: "../etc/hostname", hosts: "../etc/hosts", resolvConf: "../etc/resolv.conf" },
  ...changes,
});
