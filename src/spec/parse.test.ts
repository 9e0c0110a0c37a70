import { describe, expect, test } from "bun:test";
import { defaultConfig } from "./default-config.ts";
import { faultText, parseConfig, parseProcess, parseResources, SpecError } from "./parse.ts";
import { documentWith, faultsWith, judge, judgeWith } from "./testing.ts";

function faultsOf(parse: () => unknown): readonly string[] {
  try {
    parse();
  } catch (error) {
    if (error instanceof SpecError) return error.faults.map(faultText);
    throw error;
  }
  return [];
}

describe("the default config", () => {
  test("is accepted as it is, without a warning", () => {
    const { config, warnings } = parseConfig(JSON.stringify(defaultConfig()));
    expect(warnings).toEqual([]);
    expect(config).toEqual(defaultConfig());
  });

  test("is fresh each time", () => {
    expect(defaultConfig().process.capabilities?.bounding).not.toBe(
      defaultConfig().process.capabilities?.bounding,
    );
  });
});

describe("the document", () => {
  for (const text of ["[]", "1", '"x"', "null", "true"]) {
    test(`${text} is no configuration`, () => expect(judge(text).faults).toHaveLength(1));
  }

  test("an empty one lacks three things", () => {
    expect(judge("{}").faults).toEqual([
      "ociVersion: is required",
      "process: is required",
      "root: is required",
    ]);
  });

  test("all faults are listed at once, with code and paths", () => {
    const text = documentWith({
      ociVersion: "2.0.0",
      "process.cwd": "tmp",
      "process.args": [],
      "linux.namespaces": [{ type: "pid" }, { type: "pidd" }],
      "linux.resources.memory": { limt: 5 },
      "root.path": "",
    });
    const error = (() => {
      try {
        parseConfig(text);
      } catch (thrown) {
        return thrown;
      }
    })() as SpecError;
    expect(error).toBeInstanceOf(SpecError);
    expect(error.code).toBe("invalid-config");
    expect(error.faults.map(({ path }) => path).sort()).toEqual([
      "linux.namespaces[1].type",
      "linux.resources.memory.limt",
      "ociVersion",
      "process.args",
      "process.cwd",
      "root.path",
    ]);
    expect(error.message).toContain('linux.resources.memory.limt: unknown property (did you mean "limit"?)');
    expect(error.message).toStartWith("invalid config.json: ");
  });

  test("a flood of faults stays readable", () => {
    const { faults } = judgeWith({ "linux.maskedPaths": new Array(50_000).fill("x") });
    expect(faults).toHaveLength(1000);
    const message = (() => {
      try {
        parseConfig(documentWith({ "linux.maskedPaths": new Array(50_000).fill("x") }));
      } catch (error) {
        return String(error);
      }
    })();
    expect(message).toEndWith("; and 980 more");
    expect(message?.length).toBeLessThan(5000);
  });

  test("long values are cut in messages", () => {
    const [fault] = faultsWith({ "process.cwd": "x".repeat(10_000) });
    expect(fault?.length).toBeLessThan(200);
  });

  test("null properties count as not there", () => {
    const { config } = judge(
      JSON.stringify({ ...defaultConfig(), hooks: null, mounts: null, annotations: null }),
    );
    expect(config).toBeDefined();
    expect(Object.keys(config ?? {})).not.toContain("hooks");
    expect(judge(JSON.stringify({ ...defaultConfig(), root: null })).faults).toEqual(["root: is required"]);
  });

  test("empty optional strings count as not there", () => {
    const { config } = judgeWith({ hostname: "", "linux.cgroupsPath": "", "process.apparmorProfile": "" });
    expect(config?.hostname).toBeUndefined();
    expect(config?.linux?.cgroupsPath).toBeUndefined();
    expect(config?.process.apparmorProfile).toBeUndefined();
    expect(faultsWith({ "linux.resources.memory": { limit: "" } })).toEqual([
      "linux.resources.memory.limit: must be a whole number, not a string",
    ]);
  });
});

describe("ociVersion", () => {
  for (const version of ["1.0.0", "1.0.2-dev", "1.0.0-rc5", "1.1.0+dev", "1.3.0-rc.1+build.5", "1.2.1"]) {
    test(`takes ${version}`, () =>
      expect(judgeWith({ ociVersion: version })).toMatchObject({ faults: [], warnings: [] }));
  }
  for (const version of ["0.5.0-dev", "2.0.0", "1", "1.0", "v1.0.0", "1.0.0-", "01.0.0", "1.0.0 ", "", 1]) {
    test(`refuses ${JSON.stringify(version)}`, () => {
      expect(faultsWith({ ociVersion: version })).toEqual([expect.stringMatching(/^ociVersion: /)]);
    });
  }
  test("warns about a newer minor version", () => {
    expect(judgeWith({ ociVersion: "1.9.0" }).warnings).toEqual([expect.stringContaining("newer than 1.3")]);
  });
});

describe("unknown properties", () => {
  test("at the top are ignored with a warning", () => {
    const { config, warnings } = judgeWith({ hostnam: "x", whatever: {} });
    expect(warnings).toEqual([
      'hostnam: unknown property (did you mean "hostname"?), ignored',
      "whatever: unknown property, ignored",
    ]);
    expect(Object.keys(config ?? {})).not.toContain("whatever");
  });

  test("of other platforms are ignored with a warning", () => {
    const others = { windows: {}, solaris: {}, vm: {}, zos: {}, freebsd: {} };
    const { warnings } = judgeWith({ ...others, "process.commandLine": "x", "process.user.username": "x" });
    expect(warnings.map((warning) => warning.split(":")[0])).toEqual(
      expect.arrayContaining([...Object.keys(others), "process.commandLine", "process.user.username"]),
    );
  });

  for (const path of [
    "process",
    "process.user",
    "process.capabilities",
    "process.consoleSize",
    "process.scheduler",
    "process.ioPriority",
    "process.execCPUAffinity",
    "root",
    "hooks",
    "linux",
    "linux.resources",
    "linux.resources.memory",
    "linux.resources.cpu",
    "linux.resources.pids",
    "linux.resources.blockIO",
    "linux.resources.network",
    "linux.seccomp",
    "linux.intelRdt",
    "linux.memoryPolicy",
    "linux.personality",
    "linux.timeOffsets",
  ]) {
    test(`within ${path} are faults`, () => {
      expect(faultsWith({ [`${path}.nosuchthing`]: 1 })).toContain(`${path}.nosuchthing: unknown property`);
    });
  }

  test("named like JavaScript's own are unknown too", () => {
    for (const name of ["constructor", "toString", "hasOwnProperty"]) {
      expect(faultsWith({ [`root.${name}`]: 1 })).toEqual([`root.${name}: unknown property`]);
    }
    const text = JSON.stringify(defaultConfig()).replace(
      '"root":{',
      '"root":{"__proto__":{"readonly":true},',
    );
    expect(judge(text).faults).toEqual(["root.__proto__: unknown property"]);
  });
});

describe("annotations", () => {
  test("are taken as they are, __proto__ included", () => {
    const text = documentWith({ annotations: { "a/b": "", x: "line\nline" } }).replace(
      '"a/b":',
      '"__proto__":"p","a/b":',
    );
    const { config } = judge(text);
    expect(Object.entries(config?.annotations ?? {})).toEqual([
      ["__proto__", "p"],
      ["a/b", ""],
      ["x", "line\nline"],
    ]);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  test("need string values and keys that are not empty", () => {
    expect(faultsWith({ annotations: { "a b": 1 } })).toEqual([
      'annotations["a b"]: must be a string, not a number',
    ]);
    expect(faultsWith({ annotations: { "": "x" } })).toEqual(['annotations[""]: a key must not be empty']);
    expect(faultsWith({ annotations: [] })).toEqual(["annotations: must be an object, not an array"]);
  });
});

describe("hostname and domainname", () => {
  test("fit the kernel's 64 bytes", () => {
    expect(faultsWith({ hostname: "h".repeat(64), domainname: "d".repeat(64) })).toEqual([]);
    expect(faultsWith({ hostname: "é".repeat(33) })).toEqual([
      "hostname: is 66 bytes long, at most 64 are allowed",
    ]);
  });
});

describe("exec --process", () => {
  const process = { args: ["sh"], cwd: "/", user: { uid: 1000, gid: 1000 } };

  test("takes a process", () => {
    expect(parseProcess(JSON.stringify(process))).toEqual({ process: process as never, warnings: [] });
  });

  test("is root where no user is given", () => {
    expect(parseProcess('{"args": ["a"], "cwd": "/"}').process.user).toEqual({ uid: 0, gid: 0 });
  });

  test("names what is wrong", () => {
    expect(faultsOf(() => parseProcess('{"cwd": "/", "arg": []}'))).toEqual([
      'arg: unknown property (did you mean "args"?)',
      "args: is required",
    ]);
    expect(faultsOf(() => parseProcess("[]"))).toEqual(["must be an object, not an array"]);
    expect(() => parseProcess("{")).toThrow("invalid process: not valid JSON: line 1, column 2");
  });
});

describe("update --resources", () => {
  test("takes limits", () => {
    const { resources } = parseResources('{"memory": {"limit": 9223372036854775807}, "pids": {"limit": -1}}');
    expect(resources).toEqual({ memory: { limit: 9223372036854775807n }, pids: { limit: -1 } });
  });

  test("refuses a mistyped limit", () => {
    expect(faultsOf(() => parseResources('{"memory": {"limits": 5}}'))).toEqual([
      'memory.limits: unknown property (did you mean "limit"?)',
    ]);
  });
});
