/** Cases of configuration changes (`update.jsonl`): text and errors, and the order and effect of commands. */
import { LxcriError } from "../../src/host/errors.ts";
import { parseConfig, writeConfig } from "../../src/pve/config-text.ts";
import { planUpdate, type UpdatePlan } from "../../src/pve/config-update.ts";
import { numberedKey } from "../../src/pve/container-schema.ts";
import type { BridgeState } from "../../src/pve/nic-plan.ts";
import { readDeleteQueue, unqueueDelete } from "../../src/pve/pending.ts";
import { PropertyStringError } from "../../src/pve/property-string.ts";
import { commandsOf, effectsOf } from "./upstream-commands.ts";
import { type Check, compare, nameSet, type Vector, type Verdict } from "./verdict.ts";

const VMID = 100;

/** The recording's host. */
const BRIDGES: Readonly<Record<string, BridgeState>> = {
  vmbr0: { mtu: 1500, vlanAware: true, ports: ["eno1"] },
  vmbr1: { mtu: 1500, vlanAware: false, ports: ["eno2"] },
  vmbr2: { mtu: 9000, vlanAware: true, ports: ["eno3"] },
};

interface UpdateInput {
  readonly conf: string;
  readonly param: Readonly<Record<string, string>>;
  readonly delete: readonly string[];
  readonly revert: readonly string[];
  readonly running: boolean;
  readonly nftables?: boolean;
}

function plan(input: UpdateInput): UpdatePlan {
  return planUpdate(
    parseConfig(input.conf, VMID).config,
    { set: new Map(Object.entries(input.param)), remove: input.delete, revert: input.revert },
    {
      vmid: VMID,
      running: input.running,
      node: { bridge: (name) => BRIDGES[name], nftables: input.nftables === true },
      generateMac: () => "02:00:00:00:00:02",
    },
  );
}

/** The text as it should have been: an interface whose removal was asked for is gone, whatever its number. */
function correctedText(text: string, input: UpdateInput): string {
  const { config } = parseConfig(text, VMID);
  for (const key of readDeleteQueue(config.pending).keys()) {
    if (numberedKey(key)?.family !== "net" || !input.delete.includes(key)) continue;
    config.values.delete(key);
    unqueueDelete(config, key);
  }
  return writeConfig(config);
}

const defectsOf = (vector: Vector): readonly string[] => (vector.defects as string[] | undefined) ?? [];

/** A line of `update.jsonl`. */
export const checkUpdate: Check = (vector) => {
  const input = vector.in as UpdateInput;
  const isRefused = vector.error === true;
  try {
    const result = plan(input);
    const text = writeConfig(result.config).replaceAll("02:00:00:00:00:02", "<mac>");
    const errors = Object.fromEntries([...result.errors.keys()].map((key) => [key, true]));
    const actual = { error: false, text, errors };
    const recorded = { error: vector.error, text: vector.text, errors: vector.errors ?? {} };
    const verdict = compare(recorded, actual);
    if (isRefused) return verdict;
    if (defectsOf(vector).length === 0) return verdict.holds ? compareCommands(vector, result) : verdict;
    const corrected = compare({ ...recorded, text: correctedText(String(recorded.text), input) }, actual);
    return corrected.holds || verdict.holds ? { holds: true, knownFault: true } : corrected;
  } catch (reason) {
    if (!(reason instanceof LxcriError)) throw reason;
    const fault = reason instanceof PropertyStringError ? [...reason.faults.keys()] : [];
    const names = nameSet(fault.filter((key) => !key.startsWith("_")));
    return compare(
      {
        error: vector.error,
        text: vector.text,
        fault: nameSet((vector.fault as string[] | null) ?? []),
      },
      { error: true, text: null, fault: names },
    );
  }
};

/** Our steps must do what the recorded commands do, in the same order. */
function compareCommands(vector: Vector, result: UpdatePlan): Verdict {
  const recorded = effectsOf((vector.commands as string[] | undefined) ?? []);
  const ours = effectsOf(result.steps.flatMap(({ step }) => commandsOf(step, VMID)));
  return compare({ commands: recorded }, { commands: ours });
}
