/** Loading a device program into the kernel and attaching it to a cgroup v2 group: bpf(2). */
import { ptr } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { errnoOf, messageOf } from "../host/errors.ts";
import { syscall } from "../host/libc.ts";
import { INSTRUCTION } from "./device-program.ts";
import { CgroupError } from "./hierarchy.ts";

const BPF = process.arch === "arm64" ? 280 : 321;
const PROG_LOAD = 5;
const PROG_ATTACH = 8;
const PROG_GET_FD_BY_ID = 13;
const OBJ_GET_INFO_BY_FD = 15;
const PROG_QUERY = 16;
const TYPE_CGROUP_DEVICE = 15;
const ATTACH_CGROUP_DEVICE = 6;
const ALLOW_MULTI = 2;
const REPLACE = 4;
/** Room for union bpf_attr; zeros beyond what a command knows are fine. */
const ATTRIBUTE_SIZE = 120;
const MAX_PROGRAMS = 64;
/** How our programs are told from systemd's: at most 15 characters. */
const NAME = "lxcri_devices";
/** Offset of `name` in struct bpf_prog_info. */
const INFO_NAME = 64;
const INFO_SIZE = 128;

type Fill = (view: DataView) => void;

function bpf(command: number, fill: Fill, subject: string): { result: number; view: DataView } {
  const bytes = new Uint8Array(ATTRIBUTE_SIZE);
  const view = new DataView(bytes.buffer);
  fill(view);
  return { result: syscall(BPF, [command, bytes, ATTRIBUTE_SIZE], subject), view };
}

const pointer = (view: DataView, at: number, bytes: Uint8Array): void =>
  view.setBigUint64(at, BigInt(ptr(bytes)), true);

/** Loads instructions; the descriptor is close-on-exec. @throws SystemError */
function load(instructions: Uint8Array): number {
  const license = Buffer.from("MIT\0");
  return bpf(
    PROG_LOAD,
    (view) => {
      view.setUint32(0, TYPE_CGROUP_DEVICE, true);
      view.setUint32(4, instructions.length / INSTRUCTION, true);
      pointer(view, 8, instructions);
      pointer(view, 16, license);
      // prog_name at 48
      for (const [i, byte] of Buffer.from(NAME).entries()) view.setUint8(48 + i, byte);
    },
    "BPF_PROG_LOAD",
  ).result;
}

function attach(group: number, program: number, flags: number, replaced = 0): void {
  bpf(
    PROG_ATTACH,
    (view) => {
      view.setUint32(0, group, true);
      view.setUint32(4, program, true);
      view.setUint32(8, ATTACH_CGROUP_DEVICE, true);
      view.setUint32(12, flags, true);
      view.setUint32(16, replaced, true);
    },
    "BPF_PROG_ATTACH",
  );
}

function attachedIds(group: number): number[] {
  const ids = new Uint32Array(MAX_PROGRAMS);
  const { view } = bpf(
    PROG_QUERY,
    (attribute) => {
      attribute.setUint32(0, group, true);
      attribute.setUint32(4, ATTACH_CGROUP_DEVICE, true);
      pointer(attribute, 16, new Uint8Array(ids.buffer));
      attribute.setUint32(24, MAX_PROGRAMS, true);
    },
    "BPF_PROG_QUERY",
  );
  return [...ids.subarray(0, view.getUint32(24, true))];
}

function nameOf(program: number): string {
  const info = Buffer.alloc(INFO_SIZE);
  bpf(
    OBJ_GET_INFO_BY_FD,
    (view) => {
      view.setUint32(0, program, true);
      view.setUint32(4, INFO_SIZE, true);
      pointer(view, 8, info);
    },
    "BPF_OBJ_GET_INFO_BY_FD",
  );
  const name = info.toString("latin1", INFO_NAME, INFO_NAME + 16);
  return name.slice(0, name.indexOf("\0"));
}

/** Descriptor of our own program on the group, which the caller closes; there is never more than one. */
function ownProgram(group: number): number | undefined {
  for (const id of attachedIds(group)) {
    let program: number;
    try {
      program = bpf(PROG_GET_FD_BY_ID, (view) => view.setUint32(0, id, true), `program ${id}`).result;
    } catch (error) {
      // Detached by its owner in between.
      if (errnoOf(error) === "ENOENT") continue;
      throw error;
    }
    if (nameOf(program) === NAME) return program;
    closeSync(program);
  }
  return undefined;
}

/**
 * Makes `instructions` the device program of the group, in place of an earlier one of ours, in one step: there
 * is no moment without a program. Those of others (systemd's DeviceAllow) stay, and all must allow.
 * @throws CgroupError `device-program-failed`
 */
export function attachDeviceProgram(folder: string, instructions: Uint8Array): void {
  const open: number[] = [];
  const keep = (fd: number): number => {
    open.push(fd);
    return fd;
  };
  try {
    const group = keep(openSync(folder, "r"));
    const program = keep(load(instructions));
    const replaced = ownProgram(group);
    if (replaced === undefined) attach(group, program, ALLOW_MULTI);
    else attach(group, program, ALLOW_MULTI | REPLACE, keep(replaced));
  } catch (cause) {
    const hint =
      errnoOf(cause) === "EPERM"
        ? "this process may not load BPF programs, or a group above forbids more"
        : messageOf(cause);
    throw new CgroupError("device-program-failed", `device rules of ${folder}: ${hint}`, { cause });
  } finally {
    for (const fd of open) closeSync(fd);
  }
}
