/** `process`: the program of `create` and of `exec`. config.md, Process. */
import type {
  ConsoleSize,
  ExecCpuAffinity,
  IoPriority,
  Process,
  Rlimit,
  Scheduler,
  User,
} from "../config.ts";
import { quote } from "../faults.ts";
import { IO_PRIORITY_CLASSES, RLIMIT_TYPES, SCHEDULER_FLAGS, SCHEDULER_POLICIES } from "../names.ts";
import {
  absolutePath,
  boolean,
  count,
  id,
  integer,
  line,
  oneOf,
  rangeList,
  text,
  uint16,
  uint64,
} from "../scalars.ts";
import { array, object, orEmpty, type Shape, strings } from "../shape.ts";
import { capabilities } from "./capabilities.ts";

const user = object<User>({
  required: { uid: id, gid: id },
  optional: { umask: integer(0, 0o777), additionalGids: array(id) },
  ignored: { username: "it is for Windows" },
});

const consoleSize = object<ConsoleSize>({ required: { height: uint16, width: uint16 }, optional: {} });

/** At least the program. */
const args: Shape<readonly [string, ...string[]]> = (value, path, findings) => {
  const [program, ...rest] = argumentList(value, path, findings) ?? [];
  if (program !== undefined) return [program, ...rest];
  return Array.isArray(value) && value.length === 0
    ? findings.fault(path, "must have at least one entry, the program")
    : undefined;
};

const argumentList = strings(text);

/** `NAME=value`. */
const environmentEntry: Shape<string> = (value, path, findings) => {
  const entry = text(value, path, findings);
  if (entry === undefined || entry.indexOf("=") > 0) return entry;
  const problem = entry.startsWith("=") ? "has no name before the =" : "has no =";
  return findings.fault(path, `${quote(entry)} ${problem}; an entry is NAME=value`);
};

/** The environment of a process or of a hook. */
export const environment = array(environmentEntry);

const rlimit = object<Rlimit>({
  required: { type: oneOf(RLIMIT_TYPES), soft: uint64, hard: uint64 },
  optional: {},
  check({ soft, hard }, path, findings) {
    if (soft > hard) findings.fault(`${path}.soft`, `${soft} is above the hard limit ${hard}`);
  },
});

const rlimits = array(rlimit, (items, path, findings) => {
  const seen = new Set<string>();
  items.forEach(({ type }, index) => {
    if (seen.has(type)) findings.fault(`${path}[${index}].type`, `${type} is given twice`);
    seen.add(type);
  });
});

/** sched_setattr(2): SCHED_DEADLINE works with 1024 ns or more. */
const DEADLINE_MIN_RUNTIME = 1024;

const scheduler = object<Scheduler>({
  required: { policy: oneOf(SCHEDULER_POLICIES) },
  optional: {
    nice: integer(-20, 19),
    priority: integer(0, 99),
    flags: array(oneOf(SCHEDULER_FLAGS)),
    runtime: count,
    deadline: count,
    period: count,
  },
  check({ policy, priority = 0, runtime = 0, deadline = 0, period = 0 }, path, findings) {
    const realtime = policy === "SCHED_FIFO" || policy === "SCHED_RR";
    if (realtime && priority === 0) findings.fault(`${path}.priority`, `${policy} needs 1 to 99`);
    if (!realtime && priority !== 0) {
      findings.fault(`${path}.priority`, `is for SCHED_FIFO and SCHED_RR, not for ${policy}`);
    }
    if (policy !== "SCHED_DEADLINE") {
      for (const [name, time] of Object.entries({ runtime, deadline, period })) {
        if (time !== 0) findings.fault(`${path}.${name}`, `is for SCHED_DEADLINE, not for ${policy}`);
      }
      return;
    }
    if (runtime < DEADLINE_MIN_RUNTIME) {
      findings.fault(`${path}.runtime`, `SCHED_DEADLINE needs ${DEADLINE_MIN_RUNTIME} ns or more`);
    }
    if (runtime > deadline) findings.fault(`${path}.deadline`, `${deadline} is below the runtime ${runtime}`);
    if (period !== 0 && deadline > period) {
      findings.fault(`${path}.period`, `${period} is below the deadline ${deadline}`);
    }
  },
});

const ioPriority = object<IoPriority>({
  required: { class: oneOf(IO_PRIORITY_CLASSES), priority: integer(0, 7) },
  optional: {},
});

const execCpuAffinity = object<ExecCpuAffinity>({
  required: {},
  optional: { initial: orEmpty(rangeList), final: orEmpty(rangeList) },
});

type GivenProcess = Omit<Process, "user"> & { readonly user?: User };

const given = object<GivenProcess>({
  required: { cwd: absolutePath, args },
  optional: {
    terminal: boolean,
    consoleSize,
    user,
    env: environment,
    capabilities,
    rlimits,
    noNewPrivileges: boolean,
    apparmorProfile: orEmpty(line),
    oomScoreAdj: integer(-1000, 1000),
    scheduler,
    selinuxLabel: orEmpty(line),
    ioPriority,
    execCPUAffinity: execCpuAffinity,
  },
  ignored: { commandLine: "it is for Windows" },
});

/** The whole `process`; without `user` it is root, as the schema (which does not require it) and runc have it. */
export const process: Shape<Process> = (value, path, findings) => {
  const checked = given(value, path, findings);
  return checked && { ...checked, user: checked.user ?? { uid: 0, gid: 0 } };
};
