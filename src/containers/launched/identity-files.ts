/** /etc/hostname, /etc/hosts and /etc/resolv.conf of a launched container: files of ours that it may change. */
import { chownSync, constants, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { chownAt, close, openAt, openBeneath, openDirectory } from "../../host/at.ts";
import { isMissing } from "../../host/errors.ts";
import type { IdentityFiles } from "./plan-mounts.ts";
import type { NetworkChoice } from "./request.ts";

/** Who a file belongs to, as the host sees it. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Writes a system container's own /etc/hostname, from which its init takes the name; nothing where it has no /etc. A
 * link there is replaced, not followed.
 */
export function writeSystemHostname(rootfs: string, hostname: string, owner: Owner): void {
  const root = openDirectory(rootfs);
  try {
    const folder = openBeneath(root, "etc", constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      rmSync(`/proc/self/fd/${folder}/hostname`, { recursive: true, force: true });
      const fd = openAt(folder, "hostname", constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
      writeSync(fd, `${hostname}\n`);
      chownAt(fd, "", owner.uid, owner.gid);
      close(fd);
    } finally {
      close(folder);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  } finally {
    close(root);
  }
}

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
  owner: Owner,
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
