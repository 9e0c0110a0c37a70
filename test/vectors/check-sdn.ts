/** Cases of the software-defined network: its files (`sdn.jsonl`) and the interfaces they mean (`sdnnet.jsonl`). */
import { LxcriError } from "../../src/host/errors.ts";
import { generateSdnInterfaces } from "../../src/pve/sdn-interfaces.ts";
import { SDN_FILES, type SdnFile } from "../../src/pve/sdn-schema.ts";
import type { NodeNetwork } from "../../src/pve/sdn-zone.ts";
import {
  type ParsedSections,
  parseSections,
  type Section,
  type SectionConfig,
  writeSections,
} from "../../src/pve/section-config.ts";
import { type Check, compare } from "./verdict.ts";

const isSdnFile = (name: string): name is SdnFile => Object.hasOwn(SDN_FILES, name);

function sectionView(file: SdnFile, section: Section): Record<string, unknown> {
  const sets = SDN_FILES[file].sets ?? [];
  const entries = [...section.properties].map(([key, value]) => [
    key,
    sets.includes(key) ? Object.fromEntries([value].flat().map((name) => [name, "1"])) : value,
  ]);
  return { ...Object.fromEntries(entries), type: section.type };
}

function configView(file: SdnFile, { config, order }: ParsedSections): Record<string, unknown> {
  const entries = [...config.sections];
  return {
    digest: config.digest,
    ids: Object.fromEntries(
      entries.map(([id, section]) => [id, section === undefined ? null : sectionView(file, section)]),
    ),
    order,
  };
}

function written(file: SdnFile, config: SectionConfig): string | null {
  try {
    return writeSections(SDN_FILES[file], config);
  } catch (reason) {
    if (!(reason instanceof LxcriError)) throw reason;
    return null;
  }
}

const bySection = (a: { section: string; key: string }, b: { section: string; key: string }): number =>
  `${a.section} ${a.key}` < `${b.section} ${b.key}` ? -1 : 1;

/** A line of `sdn.jsonl`. */
export const checkSdn: Check = (vector) => {
  const actual = { parsed: {}, text: {}, warnings_count: {}, errors: {} } as Record<
    string,
    Record<string, unknown>
  >;
  for (const [file, text] of Object.entries(vector.in as Record<string, string>)) {
    if (!isSdnFile(file)) return { holds: false, difference: `unknown file '${file}'` };
    const reading = parseSections(SDN_FILES[file], text);
    const { config, errors, warnings } = reading;
    Object.assign(actual.parsed ?? {}, { [file]: configView(file, reading) });
    Object.assign(actual.text ?? {}, { [file]: written(file, config) });
    Object.assign(actual.warnings_count ?? {}, { [file]: warnings.length });
    const shown = errors.map(({ section, key }) => ({ section, key })).sort(bySection);
    if (shown.length > 0) Object.assign(actual.errors ?? {}, { [file]: shown });
  }
  const errors = Object.entries(vector.errors as Record<string, { section: string; key: string }[]>);
  return compare(
    {
      parsed: vector.parsed,
      text: vector.text,
      warnings_count: vector.warnings_count,
      errors: Object.fromEntries(errors.map(([file, list]) => [file, [...list].sort(bySection)])),
    },
    actual,
  );
};

/** The recording's host: what its interfaces file says; every bridge has the port eth0. */
function recordedNode(interfaces: string): NodeNetwork {
  const stanzas = new Map<string, Map<string, string>>();
  let options = new Map<string, string>();
  for (const line of interfaces.split("\n")) {
    const [word = "", name = "", ...rest] = line.trim().split(/\s+/);
    if (word === "iface") {
      options = new Map();
      stanzas.set(name, options);
    } else if (word !== "auto") {
      options.set(word, [name, ...rest].join(" "));
    }
  }
  const addresses = [...stanzas].flatMap(([link, each]) => {
    const address = each.get("address")?.split("/")[0];
    return address === undefined ? [] : [{ address, link }];
  });
  const outgoing = addresses.find(({ link }) => link === "vmbr0");
  return {
    name: "localhost",
    addresses,
    ...(outgoing === undefined ? {} : { outgoing4: outgoing }),
    mtu: (link) => (stanzas.get(link)?.has("mtu") ? Number(stanzas.get(link)?.get("mtu")) : undefined),
    bridge: (name) =>
      stanzas.get(name)?.has("bridge-ports")
        ? { vlanAware: stanzas.get(name)?.get("bridge-vlan-aware") === "yes", ports: ["eth0"] }
        : undefined,
  };
}

/** A line of `sdnnet.jsonl`. */
export const checkSdnInterfaces: Check = (vector) => {
  const given = vector.in as Record<string, string>;
  const read = (file: SdnFile): SectionConfig => parseSections(SDN_FILES[file], given[file] ?? "").config;
  const config = {
    zones: read("zones"),
    vnets: read("vnets"),
    subnets: read("subnets"),
    controllers: read("controllers"),
  };
  const { text, warnings } = generateSdnInterfaces(config, recordedNode(given.interfaces ?? ""), 1);
  const { interfaces, warnings_count, error } = vector;
  return compare(
    { error, interfaces, warnings_count },
    { error: false, interfaces: text, warnings_count: warnings.length },
  );
};
