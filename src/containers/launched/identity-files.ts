/** /etc/hostname, /etc/hosts and /etc/resolv.conf of a launched container: files of ours that it may change. */
import { chownSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMissing } from "../../host/errors.ts";
import type { IdentityFiles } from "./plan-mounts.ts";
import type { NetworkChoice } from "./request.ts";

/** The names of a container that knows itself and nobody else. */
export const hostsText = (hostname: string): string =>
  [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    `127.0.1.1\t${hostname}`,
    "",
  ].join("\n");

/** The host's name servers for a container that reaches the network, none for one that does not. */
function resolverText(network: NetworkChoice, hostFile: string): string {
  if (network.kind === "none") return "# no network\n";
  try {
    return readFileSync(hostFile, "utf8");
  } catch (error) {
    if (isMissing(error)) return "";
    throw error;
  }
}

/** Writes them into `folder`, `etc` beside the bundle, and names them from there. @param owner the container's root, as the host sees it */
export function writeIdentityFiles(
  folder: string,
  { hostname, network }: { readonly hostname: string; readonly network: NetworkChoice },
  owner: { readonly uid: number; readonly gid: number },
  hostFile = "/etc/resolv.conf",
): IdentityFiles {
  const put = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o644 });
    chownSync(path, owner.uid, owner.gid);
    return `../etc/${name}`;
  };
  return {
    hostname: put("hostname", `${hostname}\n`),
    hosts: put("hosts", hostsText(hostname)),
    resolvConf: put("resolv.conf", resolverText(network, hostFile)),
  };
}
