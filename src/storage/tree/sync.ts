/** Whole trees: one made like another, one compared with another, one as a layer upon another. */
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import {
  close,
  getXattrAt,
  linkAt,
  mkdirAt,
  mknodAt,
  openAt,
  openBeneath,
  openDirectory,
  rmdirAt,
  setXattrAt,
} from "../../host/at.ts";
import { bytesToText } from "../../host/byte-text.ts";
import { removeTree } from "../../host/remove-tree.ts";
import type { LayerContent } from "../driver.ts";
import {
  copyNode,
  describeFolder,
  differenceOf,
  FOLDER,
  isWhiteout,
  type Node,
  putEmptyFile,
  readNode,
  sameContent,
} from "./node.ts";

const OPAQUE_XATTR = "trusted.overlay.opaque";
const OPAQUE_FILE = ".wh..wh..opq";

const namesIn = (dir: number): string[] =>
  readdirSync(`/proc/self/fd/${dir}`, { encoding: "buffer" }).map(bytesToText).sort();

const joined = (path: string, name: string): string => (path === "" ? name : `${path}/${name}`);

/** Opens folders by path, and closes them. */
function withFolders<T>(paths: readonly string[], work: (fds: readonly number[]) => T): T {
  const opened: number[] = [];
  try {
    for (const path of paths) opened.push(openDirectory(path));
    return work(opened);
  } finally {
    for (const fd of opened) close(fd);
  }
}

/** Opens folders of folders; undefined stays so. */
function within<T>(
  parents: readonly (number | undefined)[],
  name: string,
  work: (fds: readonly (number | undefined)[]) => T,
): T {
  const opened: (number | undefined)[] = [];
  try {
    for (const parent of parents)
      opened.push(parent === undefined ? undefined : openAt(parent, name, FOLDER));
    return work(opened);
  } finally {
    for (const fd of opened) if (fd !== undefined) close(fd);
  }
}

/** Copies nodes below one root; a file with several names becomes one again. */
class Copier {
  readonly #root: number;
  readonly #first = new Map<string, string>();

  constructor(root: number) {
    this.#root = root;
  }

  /** @param path of `to`, from the root */
  copy(from: number, name: string, to: number, path: string, node: Node): void {
    const { info } = node;
    const key = `${info.dev}:${info.ino}`;
    const first = info.nlink > 1n ? this.#first.get(key) : undefined;
    if (first === undefined) {
      copyNode(from, name, to, node);
      if (info.nlink > 1n) this.#first.set(key, joined(path, name));
      return;
    }
    const parent = dirname(first);
    const dir = openBeneath(this.#root, parent, FOLDER, false);
    try {
      linkAt(dir, first.slice(first.lastIndexOf("/") + 1), to, name);
    } finally {
      close(dir);
    }
  }
}

/** Whether `name` is the same in both, content included, but for what is in a folder. */
const isSame = (a: number, b: number, name: string, node: Node, other: Node | undefined): boolean =>
  other !== undefined &&
  differenceOf(node, other) === undefined &&
  (!node.info.isFile() || sameContent(a, name, b, name));

/** Makes the folder `target` like `source`. */
export function syncTrees(source: string, target: string): void {
  withFolders([source, target], ([from = -1, to = -1]) => {
    const copier = new Copier(to);
    const sync = (a: number, b: number, path: string): void => {
      const names = namesIn(a);
      const wanted = new Set(names);
      for (const name of namesIn(b)) if (!wanted.has(name)) removeTree(b, name);
      for (const name of names) {
        const node = readNode(a, name);
        if (node === undefined) continue;
        const there = readNode(b, name);
        if (node.isFolder) {
          if (there?.isFolder !== true) {
            removeTree(b, name);
            mkdirAt(b, name, 0o700);
          }
          within([a, b], name, ([below = -1, target = -1]) => {
            sync(below, target, joined(path, name));
            describeFolder(target, node);
          });
        } else if (node.info.nlink > 1n || !isSame(a, b, name, node, there)) {
          removeTree(b, name);
          copier.copy(a, name, b, path, node);
        }
      }
    };
    sync(from, to, "");
    const top = readNode(from, ".");
    if (top !== undefined) describeFolder(to, top);
  });
}

/** The first thing in which two trees differ, content included: `etc/passwd: size`; undefined where they are the same. */
export function findDifference(source: string, target: string): string | undefined {
  const compare = (a: number, b: number, path: string): string | undefined => {
    const names = namesIn(a);
    const others = namesIn(b);
    const extra =
      others.find((name) => !names.includes(name)) ?? names.find((name) => !others.includes(name));
    if (extra !== undefined) return `${joined(path, extra)}: is in one only`;
    for (const name of names) {
      const here = joined(path, name);
      const node = readNode(a, name);
      const other = readNode(b, name);
      if (node === undefined || other === undefined) return `${here}: has gone meanwhile`;
      const what = differenceOf(node, other);
      if (what !== undefined) return `${here}: ${what}`;
      if (node.info.isFile() && !sameContent(a, name, b, name)) return `${here}: content`;
      if (!node.isFolder) continue;
      const below = within([a, b], name, ([x = -1, y = -1]) => compare(x, y, here));
      if (below !== undefined) return below;
    }
    return undefined;
  };
  return withFolders([source, target], ([a = -1, b = -1]) => compare(a, b, ""));
}

/** Writes a layer, whatever its form, into the empty folder `target`, with whiteouts as that wants them. */
export function copyLayer(layer: LayerContent, target: string, overlayWhiteouts: boolean): void {
  const below = layer.form === "tree" ? layer.parent : undefined;
  const paths = [target, layer.folder, ...(below === undefined ? [] : [below])];
  withFolders(paths, ([to = -1, from = -1, parent]) => {
    const copier = new Copier(to);
    const style = overlayWhiteouts ? overlayStyle : archiveStyle;
    if (layer.form === "overlay") copyOverlay(from, to, "", copier, style);
    else copyDifference(from, parent, to, "", copier, style);
    const top = readNode(from, ".");
    if (top !== undefined) describeFolder(to, top);
  });
}

interface WhiteoutStyle {
  hide(dir: number, name: string): void;
  hideAll(dir: number): void;
}

const overlayStyle: WhiteoutStyle = {
  hide: (dir, name) => mknodAt(dir, name, 0o020000, 0),
  hideAll: (dir) => setXattrAt(dir, "", OPAQUE_XATTR, Buffer.from("y")),
};

const archiveStyle: WhiteoutStyle = {
  hide: (dir, name) => putEmptyFile(dir, `.wh.${name}`),
  hideAll: (dir) => putEmptyFile(dir, OPAQUE_FILE),
};

function copyOverlay(from: number, to: number, path: string, copier: Copier, style: WhiteoutStyle): void {
  if (getXattrAt(from, "", OPAQUE_XATTR) !== undefined) style.hideAll(to);
  for (const name of namesIn(from)) {
    const node = readNode(from, name);
    if (node === undefined) continue;
    if (isWhiteout(node)) style.hide(to, name);
    else if (!node.isFolder) copier.copy(from, name, to, path, node);
    else {
      mkdirAt(to, name, 0o700);
      within([from, to], name, ([source = -1, target = -1]) => {
        copyOverlay(source, target, joined(path, name), copier, style);
        describeFolder(target, node);
      });
    }
  }
}

/** What `from` has otherwise than `below`. */
function copyDifference(
  from: number,
  below: number | undefined,
  to: number,
  path: string,
  copier: Copier,
  style: WhiteoutStyle,
): void {
  const names = namesIn(from);
  if (below !== undefined) {
    for (const name of namesIn(below)) if (!names.includes(name)) style.hide(to, name);
  }
  for (const name of names) {
    const node = readNode(from, name);
    if (node === undefined) continue;
    const lower = below === undefined ? undefined : readNode(below, name);
    const same = below !== undefined && isSame(from, below, name, node, lower);
    if (!node.isFolder) {
      if (!same) copier.copy(from, name, to, path, node);
      continue;
    }
    mkdirAt(to, name, 0o700);
    const isEmpty = within([from, to], name, ([source = -1, target = -1]) => {
      const into = (lowerFolder: number | undefined): void =>
        copyDifference(source, lowerFolder, target, joined(path, name), copier, style);
      if (lower?.isFolder === true) within([below], name, ([folder]) => into(folder));
      else into(undefined);
      const empty = namesIn(target).length === 0;
      describeFolder(target, node);
      return empty;
    });
    if (same && isEmpty) rmdirAt(to, name);
  }
}
