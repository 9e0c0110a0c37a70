/** `/etc/pve/lxc/<vmid>.conf`: read into sections of keys and written back, byte for byte as Proxmox does. */
import { LxcriError } from "../host/errors.ts";
import { checkConfigValue } from "./container-schema.ts";
import { decodeDescription, encodeDescription } from "./description-text.ts";
import { judgeLxcKey } from "./lxc-keys.ts";
import { readMountPoint } from "./mount-point.ts";
import { isBlank, isTrue, trimEnd, trimFrom } from "./perl-values.ts";

/** The container as configured, one set of pending changes, or one snapshot. */
export interface ConfigSection {
  /** Keys and values, `description` (decoded) and `env` (parts separated by NUL) among them. */
  readonly values: Map<string, string>;
  /** Raw `lxc.*` lines in the order of the file. */
  readonly lxc: (readonly [key: string, value: string])[];
}

/** A whole configuration file. */
export interface ContainerConfig extends ConfigSection {
  /** SHA-1 of the text that was read, in hexadecimal. */
  readonly digest: string;
  /** Changes that wait for the next start; its key `delete` lists keys to be removed. */
  readonly pending: ConfigSection;
  readonly snapshots: Map<string, ConfigSection>;
}

/** How to read a configuration. */
export interface ParseOptions {
  /** Throw at the first line that is not valid, instead of warning. */
  readonly strict?: boolean;
}

/** What was read, and one sentence for each line or value that is not as it should be. */
export interface ParsedConfig {
  readonly config: ContainerConfig;
  readonly warnings: readonly string[];
}

const newSection = (): ConfigSection => ({ values: new Map(), lxc: [] });

const SECTION_HEADER = /^\[([a-z][a-z0-9_-]+)\]$/i;
const KEY = /^([a-z][a-z_]*\d*):/;
const LXC_KEY = /^(lxc\.[a-z0-9_.-]+)(?::|[\t-\r ]*=)/;

/** Keys that the file's own structure uses and that therefore are never written as keys. */
const STRUCTURAL = new Set(["description", "digest", "env", "lxc", "pending", "snapname", "snapshots"]);

/**
 * Reads a configuration. Values that are not valid, and well-formed lines with an unknown key, are kept and
 * warned about; lines of no known shape are warned about and lost.
 *
 * @throws {@link LxcriError} `pve-config-invalid` at the first such line in strict mode
 */
export function parseConfig(text: string, vmid: number, options: ParseOptions = {}): ParsedConfig {
  const warnings: string[] = [];
  const config: ContainerConfig = {
    ...newSection(),
    digest: Bun.SHA1.hash(text, "hex"),
    pending: newSection(),
    snapshots: new Map(),
  };
  const reader = new SectionReader(config, (problem, fatal) => {
    if (fatal && options.strict === true)
      throw new LxcriError(
        "pve-config-invalid",
        `cannot read the configuration of container ${vmid}: ${problem}`,
      );
    warnings.push(`container ${vmid}: ${problem}`);
  });
  for (const line of text.split("\n")) if (!isBlank(line)) reader.readLine(line);
  reader.endSection();
  config.values.delete("snapstate");
  return { config, warnings };
}

class SectionReader {
  private section: ConfigSection;
  private isPending = false;
  private description = "";

  constructor(
    private readonly config: ContainerConfig,
    private readonly report: (problem: string, fatal: boolean) => void,
  ) {
    this.section = config;
  }

  readLine(line: string): void {
    const first = line.charCodeAt(0);
    if (first === 91 && this.readHeader(trimEnd(line))) return;
    if (first === 35) {
      this.description += `${decodeDescription(line.slice(1))}\n`;
    } else if (!(first === 108 && this.readLxcLine(line))) {
      this.readKeyLine(line);
    }
  }

  /** The description ends with its section; `0` alone counts as none. */
  endSection(): void {
    if (isTrue(this.description)) this.section.values.set("description", this.description);
    this.description = "";
  }

  private readHeader(line: string): boolean {
    const isPending = line.toLowerCase() === "[pve:pending]";
    const name = isPending ? "" : SECTION_HEADER.exec(line)?.[1];
    if (name === undefined) return false;
    this.endSection();
    this.isPending = isPending;
    if (isPending) {
      this.section = this.config.pending;
      this.section.values.clear();
      this.section.lxc.length = 0;
    } else {
      this.section = newSection();
      this.config.snapshots.set(name, this.section);
    }
    return true;
  }

  private readLxcLine(line: string): boolean {
    const match = LXC_KEY.exec(line);
    if (match?.[1] === undefined) return false;
    const key = match[1];
    const value = trimFrom(line, match[0].length);
    if (key === "lxc.environment.runtime") {
      const before = this.section.values.get("env");
      this.section.values.set("env", before === undefined ? value : `${before}\0${value}`);
      return true;
    }
    const verdict = judgeLxcKey(key);
    if (verdict.warning !== undefined) this.report(`${key} ${verdict.warning}`, !verdict.accepted);
    if (verdict.accepted) this.section.lxc.push([key, value]);
    return true;
  }

  private readKeyLine(line: string): void {
    const key = KEY.exec(line)?.[1];
    const start = key === undefined ? 0 : key.length + 1;
    const trimmed = trimFrom(line, start);
    if (key === "description" && trimmed !== "") {
      this.description += decodeDescription(trimmed);
      return;
    }
    const state =
      trimmed.endsWith("prepare") || trimmed.endsWith("delete")
        ? /snapstate:[\t-\r ]*(prepare|delete)$/.exec(trimEnd(line))?.[1]
        : undefined;
    if (state !== undefined) {
      this.section.values.set("snapstate", state);
    } else if (key === "delete" && trimmed !== "") {
      if (this.isPending) this.section.values.set("delete", trimmed);
      else this.report("property 'delete' is only allowed in [pve:pending]", true);
    } else if (key === undefined || start === line.length) {
      this.report(`unable to parse line '${shorten(line)}'`, true);
    } else {
      // A value of nothing but white space keeps its last character, as a lazy match leaves it.
      this.readValue(key, trimmed === "" ? line.slice(-1) : trimmed);
    }
  }

  private readValue(key: string, value: string): void {
    const checked = checkConfigValue(key, value);
    if ("fault" in checked) this.report(`unable to parse value of '${key}': ${shorten(checked.fault)}`, true);
    const kept = "fault" in checked ? value : checked.value;
    // Written as a line of its own, where white space alone does not last.
    this.section.values.set(key, key === "env" && isBlank(kept) ? "" : kept);
  }
}

const shorten = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/**
 * Writes a configuration: description, keys in ASCII order, raw lines, then pending changes and snapshots.
 * `unusedN` entries whose volume is mounted are left out.
 *
 * @throws {@link LxcriError} `pve-config-unwritable` where a key, value or name would be read as something else
 */
export function writeConfig(config: ContainerConfig): string {
  let text = writeSection(config, stillMounted(config));
  if (config.pending.values.size > 0 || config.pending.lxc.length > 0)
    text += `\n[pve:pending]\n${writeSection(config.pending)}`;
  for (const name of [...config.snapshots.keys()].sort()) {
    const snapshot = config.snapshots.get(name);
    if (snapshot === undefined) continue;
    if (!SECTION_HEADER.test(`[${name}]`))
      throw new LxcriError(
        "pve-config-unwritable",
        `cannot write snapshot '${shorten(name)}': it is no name for one`,
      );
    text += `\n[${name}]\n${writeSection(snapshot)}`;
  }
  return text;
}

/** The `unusedN` keys that name a volume which `rootfs` or an `mpN` mounts. */
function stillMounted(config: ConfigSection): ReadonlySet<string> {
  const result = new Set<string>();
  const unused = [...config.values.keys()].filter((key) => key.startsWith("unused"));
  if (unused.length === 0) return result;
  const mounted = new Set(mountedVolumes(config).map(([, volume]) => volume));
  for (const key of unused) if (mounted.has(config.values.get(key) ?? "")) result.add(key);
  return result;
}

/** The volumes (not directories or devices) that a section mounts, by key. */
export function mountedVolumes(section: ConfigSection): [key: string, volume: string][] {
  const result: [string, string][] = [];
  for (const [key, value] of section.values) {
    if (key !== "rootfs" && !/^mp(?:0|[1-9]\d{0,2})$/.test(key)) continue;
    const mountPoint = readMountPoint(key, value);
    if (mountPoint?.type === "volume") result.push([key, mountPoint.volume]);
  }
  return result;
}

function writeSection(section: ConfigSection, leftOut?: ReadonlySet<string>): string {
  let text = "";
  const description = section.values.get("description");
  if (isTrue(description)) {
    const lines = description.split("\n");
    while (lines.at(-1) === "") lines.pop();
    for (const line of lines) text += `#${encodeDescription(line)}\n`;
  }
  for (const key of [...section.values.keys()].sort()) {
    if (STRUCTURAL.has(key) || leftOut?.has(key) === true) continue;
    text += checkedLine(key, KEY, `${key}: ${section.values.get(key) ?? ""}`);
  }
  const environment = section.values.get("env");
  if (environment !== undefined)
    for (const variable of environment.split("\0"))
      text += checkedLine("env", LXC_KEY, `lxc.environment.runtime: ${variable}`);
  for (const [key, value] of section.lxc) text += checkedLine(key, LXC_KEY, `${key}: ${value}`);
  return text;
}

/** A line of the file, made sure to be read as one line with that key again. */
function checkedLine(key: string, shape: RegExp, line: string): string {
  if (line.includes("\n") || !shape.test(line))
    throw new LxcriError(
      "pve-config-unwritable",
      `cannot write '${shorten(key)}': ${line.includes("\n") ? "it holds a line feed" : "it is no key"}`,
    );
  return `${line}\n`;
}

/** A copy that shares nothing with its source. */
export function copyConfig(config: ContainerConfig): ContainerConfig {
  const copy = (section: ConfigSection): ConfigSection => ({
    values: new Map(section.values),
    lxc: [...section.lxc],
  });
  return {
    ...copy(config),
    digest: config.digest,
    pending: copy(config.pending),
    snapshots: new Map([...config.snapshots].map(([name, section]) => [name, copy(section)])),
  };
}
