import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { recordEvent } from "./events.ts";
import { formatLine, openLog } from "./log.ts";

const folder = mkdtempSync(`${tmpdir()}/lxcri-telemetry-`);
afterAll(() => rmSync(folder, { recursive: true }));

function logTo(options: { path?: string; format: "text" | "json"; debug?: boolean }) {
  let stderr = "";
  const log = openLog({
    debug: false,
    ...options,
    stderr: (text) => {
      stderr += text;
    },
  });
  return { log, stderr: () => stderr };
}

describe("log", () => {
  const time = new Date("2026-01-02T03:04:05.678Z");

  test("writes logrus' lines", () => {
    expect(formatLine("json", "error", 'say "no"\n', time)).toBe(
      '{"level":"error","msg":"say \\"no\\"\\n","time":"2026-01-02T03:04:05Z"}\n',
    );
    expect(formatLine("text", "warning", 'say "no"', time)).toBe(
      'time="2026-01-02T03:04:05Z" level=warning msg="say \\"no\\""\n',
    );
  });

  test("appends to the file and says nothing on standard error", () => {
    const path = `${folder}/log`;
    writeFileSync(path, "before\n");
    const { log, stderr } = logTo({ path, format: "json" });
    log.error("one");
    log.warning("two");
    log.debug("three");
    const lines = readFileSync(path, "utf8").trim().split("\n");
    expect(lines[0]).toBe("before");
    expect(lines.slice(1).map((line) => [JSON.parse(line).level, JSON.parse(line).msg])).toEqual([
      ["error", "one"],
      ["warning", "two"],
    ]);
    expect(Number.isNaN(Date.parse(JSON.parse(lines[1] ?? "").time))).toBe(false);
    expect(stderr()).toBe("");
  });

  test("without a file it is for people, in JSON for programs", () => {
    const plain = logTo({ format: "text", debug: true });
    plain.log.error("one");
    plain.log.warning("two");
    plain.log.debug("three");
    expect(plain.stderr()).toBe(
      "proxmox-lxcri: one\nproxmox-lxcri: warning: two\nproxmox-lxcri: debug: three\n",
    );
    const json = logTo({ format: "json" });
    json.log.error("one");
    expect(JSON.parse(json.stderr())).toMatchObject({ level: "error", msg: "one" });
  });

  test("a file that cannot be written does not hide the message", () => {
    const { log, stderr } = logTo({ path: `${folder}/no/such/log`, format: "text" });
    log.error("one");
    expect(stderr()).toContain('level=error msg="one"');
  });
});

describe("events.log", () => {
  const lines = (path: string) =>
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));

  test("holds one line per event, for root alone, its folder made on the way", () => {
    const path = `${folder}/runtime/events.log`;
    recordEvent(path, { type: "create", id: "one", pid: 7 });
    recordEvent(path, { type: "delete", id: "one" });
    expect(lines(path)).toEqual([
      { time: expect.stringMatching(/^\d{4}-.*Z$/), type: "create", id: "one", pid: 7 },
      { time: expect.any(String), type: "delete", id: "one" },
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${folder}/runtime`).mode & 0o777).toBe(0o700);
  });

  test("is bounded: full, it becomes the old one", () => {
    const path = `${folder}/bounded.log`;
    for (let i = 0; i < 100; i += 1) recordEvent(path, { type: "create", id: `c${i}` }, 1000);
    expect(statSync(`${path}.1`).size).toBeLessThan(1100);
    expect(existsSync(path) ? statSync(path).size : 0).toBeLessThan(1000);
    expect(lines(`${path}.1`).length).toBeGreaterThan(5);
  });

  test("never fails the operation, nor follows a link", () => {
    writeFileSync(`${folder}/file`, "");
    recordEvent(`${folder}/file/events.log`, { type: "create", id: "one" });
    symlinkSync(`${folder}/victim`, `${folder}/link.log`);
    recordEvent(`${folder}/link.log`, { type: "create", id: "one" });
    expect(existsSync(`${folder}/victim`)).toBe(false);
    chmodSync(folder, 0o700);
  });
});
