/** Signals as people and programs write them. Pure. */
import { constants } from "node:os";
import { ContainerError } from "./errors.ts";

const realtimeMinimum = 34;
const realtimeMaximum = 64;

/**
 * The number of a signal: `9`, `KILL`, `SIGKILL`, `sigkill`, `RTMIN+3`, `RTMAX-1`.
 * @throws ContainerError `unknown-signal`
 */
export function parseSignal(text: string): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : byName(text.toUpperCase().replace(/^SIG/, ""));
  if (number === undefined || number < 1 || number > realtimeMaximum) {
    throw new ContainerError("unknown-signal", `unknown signal ${JSON.stringify(text)}`, {
      fix: "Give a name such as TERM or SIGKILL, or a number from 1 to 64.",
    });
  }
  return number;
}

function byName(name: string): number | undefined {
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime !== null) {
    const base = realtime[1] === "MIN" ? realtimeMinimum : realtimeMaximum;
    const signal = base + (realtime[2] === "-" ? -1 : 1) * Number(realtime[3] ?? 0);
    return signal >= realtimeMinimum ? signal : undefined;
  }
  return Object.entries(constants.signals).find(([each]) => each === `SIG${name}`)?.[1];
}
