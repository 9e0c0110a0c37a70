import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DetachKeys } from "./detach-keys.ts";
import { formatBytes, ProgressView, progressLine } from "./image-progress.ts";
import { launchFlags, launchRequest } from "./launch-flags.ts";
import { parseMount, parseVolume } from "./mount-flags.ts";
import { parseFlags } from "./parse.ts";

const folder = mkdtempSync(join(tmpdir(), "lxcri-flags-"));
afterAll(() => rmSync(folder, { recursive: true }));

const request = (...argv: string[]) =>
  launchRequest(parseFlags(argv, launchFlags, true).values, ["cmd"], {
    stdin: async () => "",
    stdout: () => {},
    stderr: () => {},
    env: { OURS: "yes" },
    cwd: folder,
  });

describe("launch flags", () => {
  test("nothing given", () => {
    expect(request()).toEqual({
      command: ["cmd"],
      ...{ env: [], labels: {}, mounts: [], devices: [], capAdd: [], capDrop: [] },
      ...{ privileged: false, nesting: false, readOnly: false, tty: false, interactive: false },
      ...{ detach: false, remove: false, network: { kind: "none" } },
    });
  });

  test("all of them", () => {
    writeFileSync(join(folder, "env"), "# comment\n\n  FROM=file\nOURS\nNOT_OURS\nE=a=b\r\n");
    expect(
      request(
        ...[
          "-dit",
          "--rm",
          "--name",
          "n",
          "--hostname",
          "h.example",
          "-w",
          "/w",
          "-u",
          "u:g",
          "--entrypoint",
          "/e",
        ],
        ...["-m", "1.5g", "--cpus", "1.5", "--pids", "9", "-e", "A=1", "-e", "OURS", "--env-file", "env"],
        ...[
          "-l",
          "k=v=w",
          "--label",
          "empty",
          "-v",
          "vol:/v:ro",
          "--mount",
          "type=tmpfs,dst=/t,tmpfs-size=1m",
        ],
        ...[
          "--device",
          "/dev/fuse:rw",
          "--cap-add",
          "ALL",
          "--cap-drop",
          "MKNOD",
          "--privileged",
          "--nesting",
        ],
        ...["--read-only", "--network", "ns:rel"],
      ),
    ).toEqual({
      ...{
        command: ["cmd"],
        name: "n",
        hostname: "h.example",
        workdir: "/w",
        user: "u:g",
        entrypoint: ["/e"],
      },
      ...{ memory: 1.5 * 2 ** 30, cpus: 1.5, pids: 9 },
      env: ["FROM=file", "OURS=yes", "E=a=b", "A=1", "OURS=yes"],
      labels: { k: "v=w", empty: "" },
      mounts: [
        { kind: "volume", name: "vol", destination: "/v", options: ["ro"] },
        { kind: "tmpfs", destination: "/t", options: ["size=1m"] },
      ],
      devices: [{ source: "/dev/fuse", destination: "/dev/fuse", access: "rw" }],
      ...{ capAdd: ["ALL"], capDrop: ["MKNOD"], privileged: true, nesting: true, readOnly: true },
      network: { kind: "path", path: join(folder, "rel") },
      ...{ tty: true, interactive: true, detach: true, remove: true },
    });
    expect(request("--entrypoint=").entrypoint).toEqual([]);
    expect(request("--network", "host").network).toEqual({ kind: "host" });
    expect(request("--device", "/dev/a:/dev/b:m").devices).toEqual([
      { source: "/dev/a", destination: "/dev/b", access: "m" },
    ]);
  });

  test.each([
    [["--cpus", "0"], "--cpus 0"],
    [["--cpus", "many"], "--cpus many"],
    [["--memory", "-1"], "--memory"],
    [["--memory", "lots"], "not a size"],
    [["--pids", "0"], "--pids 0"],
    [["--network", "bridge"], "--network bridge"],
    [["--network", "ns:"], "--network ns:"],
    [["--hostname", "-x"], "--hostname -x"],
    [["--env", "=x"], "NAME=VALUE"],
    [["--env-file", "missing"], "cannot be read (ENOENT)"],
    [["--label", "=x"], "KEY=VALUE"],
    [["--device", "fuse"], "absolute paths"],
    [["--device", "/dev/a:/dev/b:x"], "--device"],
  ])("%j is refused", (argv, message) => {
    expect(() => request(...argv)).toThrow(message);
  });
});

describe("volumes and mounts", () => {
  test.each([
    ["/data", { kind: "volume", destination: "/data", options: [] }],
    ["name:/data/", { kind: "volume", name: "name", destination: "/data/", options: [] }],
    ["/a:/b:ro,rslave", { kind: "bind", source: "/a", destination: "/b", options: ["ro", "rslave"] }],
    ["./a/..:/b", { kind: "bind", source: "/cwd", destination: "/b", options: [] }],
  ])("--volume %s", (value, mount) => {
    expect(parseVolume(value, "/cwd")).toEqual(mount as never);
  });

  test.each(["", ":", "a:b", "/a:/", "/a:/b:size=1m", "/a:/b:ro:rw", "/a:/b/../..", "relative"])(
    "--volume %j is refused",
    (value) => {
      expect(() => parseVolume(value, "/cwd")).toThrow("--volume");
    },
  );

  test.each([
    [
      "type=bind,source=a,target=/b,readonly",
      { kind: "bind", source: "/cwd/a", destination: "/b", options: ["ro"] },
    ],
    [
      "src=v,dst=/b,bind-propagation=rslave",
      { kind: "volume", name: "v", destination: "/b", options: ["rslave"] },
    ],
    ["destination=/b", { kind: "volume", destination: "/b", options: [] }],
    ["type=tmpfs,dst=/b,tmpfs-mode=1777", { kind: "tmpfs", destination: "/b", options: ["mode=1777"] }],
  ])("--mount %s", (value, mount) => {
    expect(parseMount(value, "/cwd")).toEqual(mount as never);
  });

  test.each([
    ["type=bind,dst=/b", "needs a source"],
    ["type=nfs,src=a,dst=/b", "the type is"],
    ["type=bind,src=/a", "absolute path"],
    ["type=bind,src=/a,dst=/b,colour=red", "colour=red"],
    ["type=bind,src=/a,dst=/b,size=1m", "size=1m"],
  ])("--mount %j is refused", (value, message) => {
    expect(() => parseMount(value, "/cwd")).toThrow(message);
  });
});

describe("detach keys", () => {
  const type = (...pieces: number[][]): (number[] | undefined)[] => {
    const keys = new DetachKeys();
    return pieces.map((piece) => {
      const passed = keys.filter(Uint8Array.from(piece));
      return passed === undefined ? undefined : [...passed];
    });
  };

  test("ctrl-p ctrl-q detaches, also in two pieces; nothing else is lost", () => {
    expect(type([1, 2])).toEqual([[1, 2]]);
    expect(type([16, 17])).toEqual([undefined]);
    expect(type([1, 16], [17])).toEqual([[1], undefined]);
    expect(type([16], [16], [5])).toEqual([[], [16], [16, 5]]);
    expect(type([17, 16, 1, 17])).toEqual([[17, 16, 1, 17]]);
  });
});

describe("progress", () => {
  const digest = `sha256:${"ab".repeat(32)}` as never;

  test("bytes for people", () => {
    expect([0, 1023, 1024, 1536, 150 * 2 ** 20, 2 ** 50].map(formatBytes)).toEqual([
      ...["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "150 MiB", "1024 TiB"],
    ]);
  });

  test("a bar", () => {
    expect(progressLine({ kind: "blob", digest, done: 50, total: 100 })).toBe(
      `abababababab fetching  [${"=".repeat(12)}${" ".repeat(12)}] 100 B`,
    );
    expect(progressLine({ kind: "layer", digest, done: 0, total: 0 })).toContain("ready");
  });

  test("a line per step where there is no terminal, none for what is there", () => {
    let said = "";
    using view = new ProgressView((text) => {
      said += text;
    }, false);
    view.report({ kind: "blob", digest, done: 1, total: 2 });
    view.report({ kind: "blob", digest, done: 2, total: 2 });
    view.report({ kind: "layer", digest, done: 1, total: 2 });
    view.report({ kind: "layer", digest: `sha256:${"cd".repeat(32)}` as never, done: 2, total: 2 });
    expect(said).toBe("fetching abababababab (2 B)\nunpacking abababababab (2 B)\n");
  });

  test("drawn over itself on a terminal, the last state always", () => {
    let said = "";
    {
      using view = new ProgressView((text) => {
        said += text;
      }, true);
      view.report({ kind: "blob", digest, done: 1, total: 2 });
      view.report({ kind: "layer", digest, done: 2, total: 2 });
    }
    expect(said).toContain("\x1b[1A\x1b[2Kabababababab ready");
  });
});
