/** `mounts`. config.md, Mounts. */
import type { Mount } from "../config.ts";
import { quote } from "../faults.ts";
import { parseMountOptions } from "../mount-options.ts";
import { line, nonEmpty, text } from "../scalars.ts";
import { array, object, orEmpty, strings } from "../shape.ts";
import { idMappings } from "./id-mappings.ts";

const mount = object<Mount>({
  required: { destination: nonEmpty },
  optional: {
    type: orEmpty(line),
    source: orEmpty(line),
    options: strings(text),
    uidMappings: idMappings,
    gidMappings: idMappings,
  },
  check(mount, path, findings) {
    const { bind, flags, idmap } = parseMountOptions(mount.options ?? []);
    if (!mount.destination.startsWith("/")) {
      findings.warn(
        `${path}.destination`,
        `${quote(mount.destination)} is relative (deprecated), taken from /`,
      );
    }
    if (bind === undefined && mount.type === "bind") {
      findings.warn(`${path}.options`, "should have bind or rbind; taken as bind because of the type");
    }
    if ((bind !== undefined || mount.type === "bind") && mount.source === undefined) {
      findings.fault(`${path}.source`, "is required for a bind mount");
    }
    if (bind === undefined && mount.type === undefined && !flags.remount) {
      findings.fault(`${path}.type`, "is required unless the options have bind or rbind");
    }
    const mapped = mount.uidMappings ?? mount.gidMappings;
    if ((mount.uidMappings === undefined) !== (mount.gidMappings === undefined)) {
      findings.fault(path, "uidMappings and gidMappings must be given together");
    }
    if (mapped !== undefined && idmap === undefined) {
      findings.warn(`${path}.options`, "should have idmap or ridmap, since the mount has id mappings");
    }
  },
});

export const mounts = array(mount);
