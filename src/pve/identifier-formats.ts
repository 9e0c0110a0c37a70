/** Names and paths as Proxmox's schema checks them: ids of guests, nodes, storages, volumes, pools, tags. */

/** A configuration id (snapshot, option key): two characters at least, a letter first. */
export const isConfigId = (text: string): boolean => /^[a-z][a-z0-9_-]+$/i.test(text);

/** A guest id, 100 to 999999999. */
export const isVmid = (text: string): boolean => /^[1-9][0-9]{2,8}$/.test(text);

/** A storage id: two characters at least, letter first, letter or digit last. */
export const isStorageId = (text: string): boolean => /^[a-z][a-z0-9\-_.]*[a-z0-9]$/i.test(text);

/** A volume id: `storage:volume`. */
export function isVolumeId(text: string): boolean {
  const colon = text.indexOf(":");
  return colon > 0 && isStorageId(text.slice(0, colon)) && /^[^\n]+$/.test(text.slice(colon + 1));
}

/** The characters of a bridge or container interface name; no limit on its length. */
export const isBridgeId = (text: string): boolean => /^[-_.\w]+$/.test(text);

/** A pool id: up to three names between slashes. */
export function isPoolId(text: string): boolean {
  const parts = text.split("/");
  return parts.length <= 3 && parts.every((part) => /^[A-Za-z0-9._-]+$/.test(part));
}

/** A tag of a guest. */
export const isTag = (text: string): boolean => /^[a-z0-9_][a-z0-9_\-+.]*$/i.test(text);

/** A VLAN id from 2 to 4094, or an ascending range of two. */
export function isVlanIdOrRange(text: string): boolean {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return false;
  const isVlan = (id: number): boolean => id >= 2 && id <= 4094;
  const first = Number(match[1]);
  if (match[2] === undefined || Number(match[2]) === 0) return isVlan(first);
  return isVlan(first) && isVlan(Number(match[2])) && first < Number(match[2]);
}

/** A volume, device or directory to mount: without `.` or `..` as a part of its path. */
export const isMountPath = (text: string): boolean =>
  !/\/\.\.?(?:\/|$)/.test(text) && !text.startsWith("../");

/** A device file beneath `/dev/`, without `.` or `..` as a part of its path. */
export const isDevicePath = (text: string): boolean =>
  text.startsWith("/dev/") && !/\/\.\.?(?:\/|$)/.test(text);

/** `source:target` or one `target` of a mapping between storages or bridges; `1` maps each to itself. */
export function isIdPair(text: string, isId: (id: string) => boolean): boolean {
  if (text === "1") return true;
  const match = /^([^:]+):([^:]+)$/.exec(text);
  return match === null ? isId(text) : isId(match[1] ?? "") && isId(match[2] ?? "");
}

/** A content type of a storage. */
export const isStorageContent = (text: string): boolean =>
  ["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"].includes(text);

/** A result of a task, any case. */
export const isTaskStatus = (text: string): boolean => /^(?:ok|error|warning|unknown)$/i.test(text);

/** An authentication realm. */
export const isRealm = (text: string): boolean => /^[A-Za-z][A-Za-z0-9.\-_]+$/.test(text);

/** A privilege's name, such as `VM.Audit`. */
export const isPrivilege = (text: string): boolean => /^[A-Za-z]+(?:\.[A-Za-z]+)+$/.test(text);

/** Start order and delays: `[order=]N,up=N,down=N`; undefined where the text is none. Keys are those given. */
export function parseStartup(text: string): Map<string, string> | undefined {
  if (text === "" || text === "0") return undefined;
  const result = new Map<string, string>();
  for (const part of text.split(",")) {
    if (/^[\t-\r ]*$/.test(part)) continue;
    const match = /^(?:(order|up|down)=)?(\d+)$/.exec(part);
    if (match === null) return undefined;
    result.set(match[1] ?? "order", match[2] ?? "");
  }
  return result;
}
