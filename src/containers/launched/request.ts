/**
 * Launched containers: what `launch` makes for a person. An image, a file system of the storage room, a bundle, and
 * conmon, which keeps logs and exit codes. This folder plans and runs them; it calls storage, security, spec and
 * host, and the rest of this room. Where images come from is not its business.
 *
 * This file: what is asked for. Types only.
 */
import type { Digest } from "../../spec/digest.ts";

/** The part of an image's config that a container is made from; the names are the image spec's. */
export interface LaunchImageConfig {
  readonly Env: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly User: string;
  readonly WorkingDir: string;
  readonly StopSignal?: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Volumes: readonly string[];
}

/** An image whose layers are in the storage room. */
export interface LaunchImage {
  readonly name: string;
  readonly digest: Digest;
  readonly config: LaunchImageConfig;
  /** Chain ids, topmost last. */
  readonly layers: readonly Digest[];
  /** `system` images bring their own init. */
  readonly kind: "application" | "system";
}

/** The container's network. */
export type NetworkChoice =
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  | { readonly kind: "path"; readonly path: string };

/** Something that the person mounts. `options` are OCI mount options beside `bind`. */
export type RequestedMount = {
  /** Absolute, in the container. */
  readonly destination: string;
  readonly options: readonly string[];
} & (
  | { readonly kind: "bind"; readonly source: string }
  /** Without a name it is made for this container alone. */
  | { readonly kind: "volume"; readonly name?: string }
  | { readonly kind: "tmpfs" }
);

/** A device of the host that the container may use. */
export interface RequestedDevice {
  /** Absolute, on the host. */
  readonly source: string;
  /** Absolute, in the container. */
  readonly destination: string;
  /** Of the letters r, w, m. */
  readonly access: string;
}

/** Everything a person may say about a container. */
export interface LaunchRequest {
  /** Absent: one is chosen. */
  readonly name?: string;
  /** In place of the image's Cmd. */
  readonly command: readonly string[];
  /** In place of the image's Entrypoint (and Cmd). */
  readonly entrypoint?: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly hostname?: string;
  readonly workdir?: string;
  readonly user?: string;
  /** Bytes. */
  readonly memory?: number;
  /** CPUs, may be a fraction. */
  readonly cpus?: number;
  readonly pids?: number;
  readonly mounts: readonly RequestedMount[];
  readonly devices: readonly RequestedDevice[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly nesting: boolean;
  readonly readOnly: boolean;
  readonly network: NetworkChoice;
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly detach: boolean;
  /** Remove it, with its unnamed volumes, when it ends. */
  readonly remove: boolean;
}
