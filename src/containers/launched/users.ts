/** Users and groups of an image, by name or number, looked up in its own /etc/passwd and /etc/group. */
import { closeSync, constants, fstatSync, readSync } from "node:fs";
import { close, openBeneath, openDirectory } from "../../host/at.ts";
import { errnoOf, LxcriError } from "../../host/errors.ts";

/** The two files' texts; empty where the image has none. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

/** Who a process runs as, ids as in the container. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** Of the passwd line; `/` where there is none. */
  readonly home: string;
}

/** Larger files are the work of someone who wants us to run out of memory, bytes. */
const MAX_FILE = 4 << 20;

/** Reads both files below a container's root, never following a link out of it. */
export function readUserFiles(root: string): UserFiles {
  const fd = openDirectory(root);
  try {
    return { passwd: readSmall(fd, "etc/passwd"), group: readSmall(fd, "etc/group") };
  } finally {
    close(fd);
  }
}

function readSmall(root: number, path: string): string {
  let fd: number;
  try {
    // The image may have a FIFO there, whose open would wait.
    fd = openBeneath(root, path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"].includes(errnoOf(error) ?? "")) return "";
    throw error;
  }
  try {
    const info = fstatSync(fd);
    if (!info.isFile()) return "";
    if (info.size > MAX_FILE) {
      throw new LxcriError("user-file-too-large", `/${path} of the image: larger than ${MAX_FILE} bytes`);
    }
    const bytes = Buffer.alloc(info.size);
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** Ids are 32 bits, and the last one means "none". */
const asId = (text: string): number | undefined =>
  /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff ? Number(text) : undefined;

const lines = (text: string): string[][] =>
  text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));

const unknown = (kind: "user" | "group", name: string): LxcriError =>
  new LxcriError(`${kind}-unknown`, `${kind} ${JSON.stringify(name)}: the image has no such ${kind}`, {
    fix: `Give a number, or a name that is in the image's /etc/${kind === "user" ? "passwd" : "group"}.`,
  });

/**
 * `USER[:GROUP]`, each a name or a number (image spec, config.md, "User"); empty is root. Without a group it is the
 * user's own from passwd, with those that list the user as a member; a number that passwd does not know has group 0.
 * @throws LxcriError `user-unknown`, `group-unknown`
 */
export function resolveUser(text: string, files: UserFiles): ResolvedUser {
  const [name = "", groupName] = text === "" ? ["0"] : text.split(":", 2);
  const wanted = name === "" ? "0" : name;
  const users = lines(files.passwd);
  const entry = users.find(([login]) => login === wanted) ?? users.find(([, , uid]) => uid === wanted);
  const uid = asId(entry?.[2] ?? wanted);
  if (uid === undefined) throw unknown("user", wanted);
  const home = entry?.[5];
  const base = { uid, home: home?.startsWith("/") === true ? home : "/" };
  const groups = lines(files.group);
  if (groupName !== undefined && groupName !== "") {
    const found = groups.find(([group]) => group === groupName)?.[2] ?? groupName;
    const gid = asId(found);
    if (gid === undefined) throw unknown("group", groupName);
    return { ...base, gid, additionalGids: [] };
  }
  const login = entry?.[0];
  const gid = asId(entry?.[3] ?? "0") ?? 0;
  const additionalGids = groups
    .filter(([, , , members = ""]) => login !== undefined && members.split(",").includes(login))
    .map(([, , id = ""]) => asId(id))
    .filter((id) => id !== undefined && id !== gid) as number[];
  return { ...base, gid, additionalGids: [...new Set(additionalGids)] };
}
