/** What a plan of cgroup writes is made of, and what gathers it. Pure. */

/** One line written into one file of the leaf in the hierarchy that has `controller`. */
export interface Write {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** JSON path of the property that asked for it. */
  readonly path: string;
}

/**
 * A property that cannot be applied. `probe` says what was looked at: `controller` (mounted and enabled?),
 * `file` (does a group have it?), `version` (no such thing on this cgroup version) or `value` (contradicts another).
 */
export interface ResourceFault {
  /** JSON path in config.json, such as `linux.resources.memory.swap`. */
  readonly path: string;
  readonly message: string;
  readonly probe: "controller" | "file" | "version" | "value";
}

/** What a plan needs to know of the machine and of the leaf. */
export interface PlanContext {
  /** Version of the hierarchy that has the controller; undefined where none has. */
  readonly version: (controller: string) => 1 | 2 | undefined;
  /** Whether a container's group has the file. */
  readonly has: (controller: string, file: string) => boolean;
  /** Present content of a file of the leaf, trimmed; undefined before there is a leaf. */
  readonly read: (controller: string, file: string) => string | undefined;
}

/** Ordered writes; `faults` not empty means that none of them may be done. */
export interface ResourcePlan {
  readonly writes: readonly Write[];
  readonly faults: readonly ResourceFault[];
}

/** Gathers writes and faults while the planners go through the resources. */
export class PlanBuilder {
  readonly writes: Write[] = [];
  readonly faults: ResourceFault[] = [];
  readonly context: PlanContext;

  constructor(context: PlanContext) {
    this.context = context;
  }

  /** `property` is relative to linux.resources. */
  fault(property: string, probe: ResourceFault["probe"], message: string): void {
    this.faults.push({ path: `linux.resources.${property}`, message, probe });
  }

  /** Version of the controller's hierarchy; where there is none, a fault for `property`. */
  need(property: string, controller: string): 1 | 2 | undefined {
    const version = this.context.version(controller);
    if (version === undefined) {
      this.fault(
        property,
        "controller",
        `this machine has no ${controller} controller in any cgroup hierarchy`,
      );
    }
    return version;
  }

  /** Plans one write, or a fault where groups lack the file. */
  put(property: string, controller: string, file: string, value: string | number | bigint): void {
    if (this.context.has(controller, file)) {
      this.writes.push({ controller, file, value: String(value), path: `linux.resources.${property}` });
    } else {
      this.fault(property, "file", `groups of the ${controller} controller have no ${file} with this kernel`);
    }
  }

  /** A number read from the leaf; undefined where there is no leaf yet, no such file, or `max`. */
  number(controller: string, file: string): bigint | undefined {
    const text = this.context.read(controller, file);
    return text !== undefined && /^-?\d+$/.test(text) ? BigInt(text) : undefined;
  }
}
