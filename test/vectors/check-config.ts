/** Cases of whole container configurations: their text (`config.jsonl`) and what LXC gets (`lxcconf.jsonl`). */
import { LxcriError } from "../../src/host/errors.ts";
import {
  type ConfigSection,
  type ContainerConfig,
  parseConfig,
  writeConfig,
} from "../../src/pve/config-text.ts";
import { type DeviceNumbers, generateLxcConfig } from "../../src/pve/lxc-config.ts";
import { type Check, compare } from "./verdict.ts";

function sectionView(section: ConfigSection): Record<string, unknown> {
  const view: Record<string, unknown> = Object.fromEntries(section.values);
  if (section.lxc.length > 0) view.lxc = section.lxc;
  return view;
}

function configView(config: ContainerConfig): Record<string, unknown> {
  return {
    ...sectionView(config),
    digest: config.digest,
    pending: sectionView(config.pending),
    snapshots: Object.fromEntries(
      [...config.snapshots].map(([name, section]) => [name, sectionView(section)]),
    ),
  };
}

/** A line of `config.jsonl`. */
export const checkConfig: Check = (vector) => {
  const expected = {
    error: vector.error,
    result: vector.result,
    text: vector.text,
    ...(vector.error === true ? {} : { warnings_count: vector.warnings_count }),
  };
  try {
    const strict = vector.strict === true;
    const { config, warnings } = parseConfig(String(vector.in), Number(vector.vmid), { strict });
    const result = configView(config);
    return compare(expected, {
      error: false,
      result,
      text: writeConfig(config),
      warnings_count: warnings.length,
    });
  } catch (reason) {
    if (!(reason instanceof LxcriError)) throw reason;
    return compare(expected, { error: true, result: null, text: null });
  }
};

/** Device numbers that Linux assigns for ever (Documentation/admin-guide/devices.txt). */
const DEVICES: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  "/dev/mem": [1, 1],
  "/dev/null": [1, 3],
  "/dev/port": [1, 4],
  "/dev/zero": [1, 5],
  "/dev/full": [1, 7],
  "/dev/random": [1, 8],
  "/dev/urandom": [1, 9],
  "/dev/kmsg": [1, 11],
  "/dev/tty": [5, 0],
  "/dev/console": [5, 1],
  "/dev/ptmx": [5, 2],
  "/dev/fuse": [10, 229],
  "/dev/kvm": [10, 232],
  "/dev/net/tun": [10, 200],
  "/dev/loop-control": [10, 237],
};

function device(path: string): DeviceNumbers | undefined {
  const known = DEVICES[path];
  return known === undefined ? undefined : { kind: "c", major: known[0], minor: known[1] };
}

/** A line of `lxcconf.jsonl`: every bridge exists and has the same MTU. */
export const checkLxcConfig: Check = (vector) => {
  const vmid = Number(vector.vmid);
  const { config } = parseConfig(String(vector.in), vmid);
  const expected = { error: vector.error, lxc: vector.lxc };
  try {
    const node = { bridgeMtu: () => Number(vector.bridge_mtu), device };
    const lines = generateLxcConfig(vmid, config, node)?.filter((line) => !isHostDependent(line));
    return compare(expected, { error: false, lxc: lines ?? null });
  } catch (reason) {
    if (!(reason instanceof LxcriError)) throw reason;
    return compare(expected, { error: true, lxc: null });
  }
};

const isHostDependent = (line: string): boolean => /^lxc\.(?:include|seccomp\.notify)/.test(line);
