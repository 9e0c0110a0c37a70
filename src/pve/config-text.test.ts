import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { LxcriError } from "../host/errors.ts";
import { type ContainerConfig, copyConfig, parseConfig, writeConfig } from "./config-text.ts";

const roundTrip = (text: string): string => writeConfig(parseConfig(text, 100).config);

test("keys are sorted, descriptions come first, raw lines last", () => {
  const text =
    "net2: name=b\nlxc.cap.drop: a\nnet10: name=a\n#one\nlxc.environment.runtime: A=1\nmemory: 64\n#two\n";
  expect(roundTrip(text)).toBe(
    "#one\n#two\nmemory: 64\nnet10: name=a\nnet2: name=b\nlxc.environment.runtime: A=1\nlxc.cap.drop: a\n",
  );
});

test("pending changes and snapshots follow, snapshots by name", () => {
  const text = "[zz]\nmemory: 1\n[aa]\n#d\nsnapstate: prepare\n[PVE:pending]\ndelete: !swap, a\nmemory: 2\n";
  expect(roundTrip(text)).toBe(
    "\n[pve:pending]\ndelete: !swap, a\nmemory: 2\n\n[aa]\n#d\nsnapstate: prepare\n\n[zz]\nmemory: 1\n",
  );
});

test("sections given again start anew", () => {
  expect(roundTrip("[s1]\nmemory: 1\n[s1]\nswap: 2\n")).toBe("\n[s1]\nswap: 2\n");
  expect(roundTrip("[pve:pending]\nmemory: 1\nlxc.cap.drop: a\n[pve:pending]\nswap: 2\n")).toBe(
    "\n[pve:pending]\nswap: 2\n",
  );
});

describe("descriptions", () => {
  test("escapes are read as UTF-8 and written for all but plain ASCII", () => {
    expect(roundTrip("#%C3%A9 %25 %zz %\n")).toBe("#%C3%A9 %25 %25zz %25\n");
    expect(parseConfig("#%F0%9F%9A%80 %ff\n", 100).config.values.get("description")).toBe("🚀 \ufffd\n");
    expect(roundTrip("#a\r\n")).toBe("#a%0D\n");
    expect(roundTrip("#\ufeffx\n")).toBe("#%EF%BB%BFx\n");
  });

  test("a description of 0 is none", () => {
    expect(roundTrip("description: 0\n")).toBe("");
    expect(roundTrip("description: a%0Ab\n#c\n")).toBe("#a\n#bc\n");
    expect(roundTrip("description: \n")).toBe("# \n");
  });
});

test("values that are not valid are kept and warned about, lines of no shape are lost", () => {
  const { config, warnings } = parseConfig(
    "memory: abc\nnosuch: 1\nnot a line\ndelete: x\nlxc.nope: 1\n",
    105,
  );
  expect(writeConfig(config)).toBe("memory: abc\nnosuch: 1\n");
  expect(warnings).toEqual([
    "container 105: unable to parse value of 'memory': 'abc' is not an integer",
    "container 105: unable to parse value of 'nosuch': unknown setting 'nosuch'",
    "container 105: unable to parse line 'not a line'",
    "container 105: property 'delete' is only allowed in [pve:pending]",
    "container 105: lxc.nope is not a known key",
  ]);
});

test("strict reading throws at the first of them, but not for keys of an older LXC", () => {
  expect(() => parseConfig("memory: abc\n", 105, { strict: true })).toThrow(
    "cannot read the configuration of container 105: unable to parse value of 'memory'",
  );
  expect(parseConfig("lxc.utsname: a\nlxc.limit.nofile: 1\n", 105, { strict: true }).warnings).toHaveLength(
    2,
  );
});

test("an unused volume that is mounted is left out", () => {
  const text =
    "mp0: local:b,mp=/b\nmp1: /srv,mp=/c\nrootfs: local:a\nunused0: local:a\nunused1: local:b\nunused2: local:c\n";
  expect(roundTrip(text)).toBe("mp0: local:b,mp=/b\nmp1: /srv,mp=/c\nrootfs: local:a\nunused2: local:c\n");
});

describe("what would be read as something else is never written", () => {
  const evil = "a\nlxc.hook.start: /evil";
  const cases: [string, (config: ContainerConfig) => unknown][] = [
    ["a value with a line feed", (config) => config.values.set("hostname", evil)],
    ["a variable with one", (config) => config.values.set("env", `A=1\0B=${evil}`)],
    ["a raw line with one", (config) => config.lxc.push(["lxc.cap.drop", evil])],
    ["a key with one", (config) => config.values.set(`memory: 1\nhostname`, "a")],
    ["a key of another shape", (config) => config.values.set("[s1]", "a")],
    ["a raw key of another shape", (config) => config.lxc.push(["memory", "1"])],
    [
      "a snapshot of another shape",
      (config) => config.snapshots.set("a]\nmemory: 1\n[b", { values: new Map(), lxc: [] }),
    ],
  ];
  for (const [name, change] of cases) {
    test(name, () => {
      const { config } = parseConfig("memory: 1\n", 100);
      change(config);
      expect(() => writeConfig(config)).toThrow(LxcriError);
    });
  }
});

test("keys of the file's own structure do not pass for it", () => {
  expect(roundTrip("digest: x\nsnapshots: y\npending: z\nlxc: a\nmemory: 1\n")).toBe("memory: 1\n");
  const sha1 = createHash("sha1").update("digest: x\n").digest("hex");
  expect(parseConfig("digest: x\n", 100).config.digest).toBe(sha1);
});

test("a copy shares nothing", () => {
  const { config } = parseConfig("memory: 1\nlxc.cap.drop: a\n[s1]\nmemory: 2\n", 100);
  const copy = copyConfig(config);
  copy.values.set("memory", "9");
  copy.lxc.push(["lxc.cap.drop", "b"]);
  copy.snapshots.get("s1")?.values.set("memory", "9");
  expect(writeConfig(config)).toBe("memory: 1\nlxc.cap.drop: a\n\n[s1]\nmemory: 2\n");
});

describe("a megabyte meant to hurt is read within a second", () => {
  const size = 1 << 20;
  const hostile: Record<string, string> = {
    "white space": " ".repeat(size),
    "lines of no shape": "x\n".repeat(size / 2),
    "a key without end": `${"a".repeat(size)}:`,
    "white space before a value": `memory: ${" ".repeat(size)}x`,
    "snapshot states": "snapstate: prepare ".repeat(size / 19),
    properties: `net0: ${"a=b,".repeat(size / 4)}`,
    "parts without a key": `net0: name=a${",b".repeat(size / 2)}`,
    commas: `net0: ${",".repeat(size)}`,
    "a host name": `hostname: ${"a-".repeat(size / 2)}!`,
    labels: `hostname: ${"a.".repeat(size / 2)}_`,
    colons: `nameserver: ${":".repeat(size)}`,
    trunks: `net0: name=a,trunks=${"1;".repeat(size / 2)}`,
    "mount options": `rootfs: a:b,mountoptions=${"noatime;".repeat(size / 8)}x`,
    digits: `cores: ${"9".repeat(size)}`,
    escapes: `#${"%41".repeat(size / 3)}`,
    "raw keys": `lxc.${"a.".repeat(size / 2)} x`,
    snapshots: Array.from({ length: size / 8 }, (_, index) => `[s${index}]`).join("\n"),
    "a header without end": `[a${"b".repeat(size)}`,
  };
  for (const [name, text] of Object.entries(hostile)) {
    test(name, () => {
      const start = performance.now();
      roundTrip(text);
      expect(performance.now() - start).toBeLessThan(1000);
    });
  }
});
