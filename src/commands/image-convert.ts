import { resolve } from "node:path";
import { writeTemplate } from "../images/convert.ts";
import { pullImage } from "../images/obtain.ts";
import { parseImageSource } from "../images/reference.ts";
import type { Command } from "./command.ts";

/** `image convert`. */
export const command: Command = {
  name: "image convert",
  summary: "make a Proxmox VE container template of an image, or an image of a template",
  description: `IMAGE FILE.tar.zst (or .tar.gz) writes the image's whole file system as a template. tar:FILE NAME makes an
image of a template or LXC root file system; launched, it starts its own init.`,
  args: "IMAGE FILE | tar:FILE NAME",
  arity: [2, 2],
  flags: [],
  examples: [
    "image convert debian:12 /var/lib/vz/template/cache/debian-12-oci.tar.zst",
    "image convert tar:debian-12-standard.tar.zst local/debian-ct:12",
  ],
  async run({ args, globals, io }) {
    const [from = "", to = ""] = args;
    const source = parseImageSource(from);
    const signal = io.signal === undefined ? {} : { signal: io.signal };
    if (source.kind === "tar") {
      const path = resolve(io.cwd, source.path);
      const options = { dataRoot: globals.dataRoot, name: to, ...signal };
      io.stdout(`${(await pullImage({ kind: "tar", path }, options)).id}\n`);
      return 0;
    }
    const path = resolve(io.cwd, to);
    await writeTemplate(globals.dataRoot, from, path, io.signal);
    io.stdout(`${path}\n`);
    return 0;
  },
};
