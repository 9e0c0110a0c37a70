/** `CONTAINER[@CHECKPOINT]` as a person types it. */
import { type ContainerId, parseContainerId } from "../spec/container-id.ts";
import { UsageError } from "./usage-error.ts";

/** A container, and one of its checkpoints where one is named. */
export interface CheckpointReference {
  readonly id: ContainerId;
  readonly number?: number;
}

/** @throws UsageError, LxcriError `invalid-container-id` */
export function parseCheckpointReference(text: string): CheckpointReference {
  const at = text.indexOf("@");
  if (at < 0) return { id: parseContainerId(text) };
  const number = text.slice(at + 1).replace(/^checkpoint-/, "");
  if (!/^\d{1,15}$/.test(number)) throw new UsageError(`${JSON.stringify(text)}: a checkpoint is a number`);
  return { id: parseContainerId(text.slice(0, at)), number: Number(number) };
}
