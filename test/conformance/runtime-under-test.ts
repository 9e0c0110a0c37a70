/** The runtime that others' suites test: ours as built, or the program that RUNTIME names. */
import { resolve } from "node:path";

const chosen = process.env.RUNTIME ?? resolve(import.meta.dir, "../../dist/proxmox-lxcri");

/** Absolute path of the runtime. */
export const runtimeUnderTest = Bun.which(chosen) ?? chosen;
