import { expect, test } from "bun:test";
import { ContainerStore } from "../containers/store.ts";
import { openLog } from "../telemetry/log.ts";
import { createFlags, createOptions } from "./create-flags.ts";
import { globalFlags, parseGlobals } from "./globals.ts";
import { parseFlags } from "./parse.ts";

const io = {
  stdin: async () => "",
  stdout: () => {},
  stderr: () => {},
  env: {},
  cwd: "/somewhere",
};

/** The options of a command line, without the parts that are not its own. */
function options(globalLine: string[], line: string[]) {
  const { values, args } = parseFlags(line, createFlags, false);
  const globals = parseGlobals(parseFlags(globalLine, globalFlags, true).values, io);
  const store = ContainerStore.open(globals.root);
  const log = openLog({ format: "text", debug: false, stderr: io.stderr });
  const {
    store: _store,
    log: _log,
    ...rest
  } = createOptions({ args, flags: values, globals, io, log, store });
  return rest;
}

test("conmon's and containerd's command lines", () => {
  expect(
    options(
      ["--systemd-cgroup", "--log", "/l"],
      [
        ...["--bundle", "/b", "--pid-file", "/p", "--no-pivot", "--no-new-keyring", "--preserve-fds", "2"],
        ...["--console-socket", "/c", "--pidfd-socket=/d", "--detach", "id"],
      ],
    ),
  ).toEqual({
    id: "id",
    bundle: "/b",
    pidFile: "/p",
    consoleSocket: "/c",
    pidfdSocket: "/d",
    preserveFds: 2,
    noPivot: true,
    noNewKeyring: true,
    cgroupManager: "systemd",
  });
});

test("what is not given, and paths from the working directory", () => {
  expect(options([], ["id"])).toEqual({
    id: "id",
    bundle: "/somewhere",
    preserveFds: 0,
    noPivot: false,
    noNewKeyring: false,
    cgroupManager: "cgroupfs",
  });
  expect(
    options(["--cgroup-manager=disabled"], ["-b", "b", "--config", "other.json", "--pid-file", "p", "id"]),
  ).toEqual({
    id: "id",
    bundle: "/somewhere/b",
    configPath: "/somewhere/b/other.json",
    pidFile: "/somewhere/p",
    preserveFds: 0,
    noPivot: false,
    noNewKeyring: false,
    cgroupManager: "disabled",
  });
});
