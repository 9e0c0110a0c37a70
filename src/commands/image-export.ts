import { exportImage, parseExportTarget } from "../images/export/export-image.ts";
import type { Command } from "./command.ts";

/** `image export`. */
export const command: Command = {
  name: "image export",
  summary: "write an image to a file or folder",
  description: `TARGET is oci:DIR[:TAG], an OCI image layout, which keeps the images it has; oci-archive:FILE[:TAG]; or
docker-archive:FILE[:NAME], which \`docker load\` reads.`,
  args: "IMAGE TARGET",
  arity: [2, 2],
  flags: [],
  examples: ["image export debian:12 oci-archive:debian.tar", "image export app:1 oci:/srv/layout:v1"],
  async run({ args, globals, io }) {
    const [image = "", target = ""] = args;
    const written = await exportImage(globals.dataRoot, image, parseExportTarget(target, io.cwd));
    io.stdout(`${written.manifest}\n`);
    return 0;
  },
};
