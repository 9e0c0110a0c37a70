/** What is mounted in a launched container, in order. Pure. */
import { join, posix } from "node:path";
import { LxcriError } from "../../host/errors.ts";
import { defaultMounts } from "../../security/defaults.ts";
import type { Mount } from "../../spec/config.ts";
import type { LaunchImage, LaunchRequest, RequestedMount } from "./request.ts";

/** Files of ours that the container sees as its own; paths on the host, absolute or from the bundle. */
export interface IdentityFiles {
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
}

/** What the mounts depend on beside image and request. */
export interface MountFacts {
  readonly userNamespace: boolean;
  /** Absent for a system container, whose init looks after these itself. */
  readonly identity?: IdentityFiles;
  /** Folder of a volume, by name. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Files of lxcfs below its mount point, e.g. `proc/meminfo`; empty where it does not run. */
  readonly lxcfs: readonly string[];
}

/** Where lxcfs is mounted on every Debian and Proxmox VE. */
export const LXCFS = "/var/lib/lxcfs";

/** A mount whose volume, if it is one, has its name. */
export type NamedMount = RequestedMount & ({ readonly kind: "bind" | "tmpfs" } | { readonly name: string });

/** Ends the names of volumes that were made for one container alone. */
const UNNAMED = ".unnamed";

/** The volumes among these that go with the container. */
export const unnamedVolumes = (mounts: readonly NamedMount[]): string[] =>
  mounts.flatMap((mount) => (mount.kind === "volume" && mount.name.endsWith(UNNAMED) ? [mount.name] : []));

/** What is asked for, and the volumes that the image declares where nobody gave anything; all with names. */
export function nameMounts(
  container: string,
  image: LaunchImage,
  request: Pick<LaunchRequest, "mounts">,
): readonly NamedMount[] {
  const taken = new Set(request.mounts.map(({ destination }) => posix.normalize(destination)));
  const declared = image.config.Volumes.map((path) => posix.resolve("/", path))
    .filter((path) => path !== "/" && !taken.has(path))
    .map((destination): RequestedMount => ({ kind: "volume", destination, options: [] }));
  return [...request.mounts, ...declared].map((mount): NamedMount => {
    if (mount.kind !== "volume") return mount;
    const { name = `${container}${mount.destination.replace(/[^a-zA-Z0-9_.-]/g, "_")}${UNNAMED}` } = mount;
    return { ...mount, name };
  });
}

const tmpfs = (destination: string, ...options: readonly string[]): Mount => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", "nodev", ...options],
});

const bind = (source: string, destination: string, ...options: readonly string[]): Mount => ({
  destination,
  type: "bind",
  source,
  options: ["bind", "nosuid", "nodev", ...options],
});

/** An init expects these empty at boot; without them it would find the files of its last run. */
const SYSTEM_MOUNTS: readonly Mount[] = [tmpfs("/run", "mode=755"), tmpfs("/tmp", "mode=1777")];

function requestedMount(mount: NamedMount, volumes: MountFacts["volumes"]): Mount {
  const { destination, options } = mount;
  if (mount.kind === "tmpfs") return tmpfs(destination, ...options);
  const source = mount.kind === "bind" ? mount.source : volumes.get(mount.name);
  if (source === undefined) {
    throw new LxcriError("volume-missing", `volume at ${destination}: was not prepared`);
  }
  const depth = options.some((option) => option === "bind" || option === "rbind") ? [] : ["rbind"];
  return { destination, type: "bind", source, options: [...depth, ...options] };
}

/** All mounts; the person's come after ours, those nearer the root first. */
export function planMounts(
  image: LaunchImage,
  request: LaunchRequest,
  mounts: readonly NamedMount[],
  facts: MountFacts,
): readonly Mount[] {
  const system = image.kind === "system";
  const ownNetwork = request.network.kind === "none";
  const base = defaultMounts({ newUser: facts.userNamespace, ownNetwork }).map((mount) =>
    mount.destination === "/sys/fs/cgroup" && (system || request.privileged)
      ? { ...mount, options: (mount.options ?? []).filter((option) => option !== "ro") }
      : mount.destination === "/sys" && request.privileged
        ? { ...mount, options: (mount.options ?? []).filter((option) => option !== "ro") }
        : mount,
  );
  const { identity } = facts;
  const own =
    identity === undefined
      ? []
      : [
          bind(identity.hostname, "/etc/hostname"),
          bind(identity.hosts, "/etc/hosts"),
          bind(identity.resolvConf, "/etc/resolv.conf"),
        ];
  const wanted = mounts.map((mount) => requestedMount(mount, facts.volumes));
  const depth = ({ destination }: Mount): number => posix.normalize(destination).split("/").length;
  const asked = new Set(wanted.map(({ destination }) => posix.normalize(destination)));
  return [
    ...base,
    ...facts.lxcfs.map((file) => bind(join(LXCFS, file), `/${file}`)),
    ...(system ? SYSTEM_MOUNTS : []),
    ...own.filter(({ destination }) => !asked.has(destination)),
    ...wanted.sort((a, b) => depth(a) - depth(b)),
  ];
}
