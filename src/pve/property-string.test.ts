import { expect, test } from "bun:test";
import { NET_FORMAT, ROOTFS_FORMAT } from "./container-schema.ts";
import {
  PropertyStringError,
  parsePropertyString,
  printPropertyString,
  readPropertyString,
} from "./property-string.ts";
import type { PropertyFormat } from "./value-schema.ts";

const faultsOf = (format: PropertyFormat, text: string): string[] =>
  [...(readPropertyString(format, text).faults?.keys() ?? [])].sort();

test("empty parts are skipped, booleans become 1 and 0, all else stays as given", () => {
  const values = parsePropertyString(NET_FORMAT, ",name=eth0,, ,tag=+007,firewall=Yes,");
  expect(Object.fromEntries(values)).toEqual({ name: "eth0", tag: "+007", firewall: "1" });
});

test("malformed and doubled parts end the reading; schema faults are all listed", () => {
  expect(faultsOf(NET_FORMAT, "name=eth0,tag,foo=1")).toEqual(["_syntax"]);
  expect(faultsOf(NET_FORMAT, "name=")).toEqual(["_syntax"]);
  expect(faultsOf(NET_FORMAT, "=x")).toEqual(["_syntax"]);
  expect(faultsOf(NET_FORMAT, "name=a,name=b,tag=9999")).toEqual(["_duplicate", "name"]);
  expect(faultsOf(NET_FORMAT, " name=a,tag=9999,foo=1")).toEqual([" name", "foo", "name", "tag"]);
  expect(faultsOf(NET_FORMAT, "constructor=1,name=a,__proto__=2")).toEqual(["__proto__", "constructor"]);
});

test("the default key may stand without its name, once", () => {
  expect(parsePropertyString(ROOTFS_FORMAT, "size=1G,local:x").get("volume")).toBe("local:x");
  expect(faultsOf(ROOTFS_FORMAT, "local:x,local:y")).toEqual(["_duplicate", "volume"]);
  expect(faultsOf(ROOTFS_FORMAT, "volume=local:x,local:y")).toEqual(["_duplicate", "volume"]);
  expect(faultsOf(ROOTFS_FORMAT, "local:x,volume=local:y")).toEqual(["_duplicate", "volume"]);
});

test("a property may require another", () => {
  const format: PropertyFormat = {
    a: { type: "string", optional: 1, requires: "b" },
    b: { type: "string", optional: 1 },
  };
  expect(faultsOf(format, "a=1")).toEqual(["b"]);
  expect(faultsOf(format, "a=1,b=2")).toEqual([]);
});

test("limits: length, range, pattern, enumeration, a format within the format", () => {
  const format: PropertyFormat = {
    long: { type: "string", optional: 1, minLength: 2, maxLength: 3 },
    net: { type: "string", optional: 1, format: { k: { type: "integer", default_key: 1 } } },
  };
  expect(faultsOf(format, "long=a")).toEqual(["long"]);
  expect(faultsOf(format, "long=abcd")).toEqual(["long"]);
  expect(faultsOf(format, "long=abc,net=5")).toEqual([]);
  expect(faultsOf(format, "long=🚀🚀🚀")).toEqual([]);
  expect(faultsOf(format, "net=x")).toEqual(["net"]);
  expect(faultsOf(NET_FORMAT, "name=a,mtu=63,type=tap,bridge=a b")).toEqual(["bridge", "mtu", "type"]);
});

test("printing puts the default key first, then required keys, and refuses what does not fit", () => {
  const values = new Map([
    ["size", "1073741824"],
    ["acl", "1"],
    ["volume", "local:x"],
    ["unknown", "1"],
  ]);
  expect(printPropertyString(ROOTFS_FORMAT, values)).toBe("local:x,acl=1,size=1G");
  expect(printPropertyString(ROOTFS_FORMAT, values, ["acl"])).toBe("local:x,size=1G");
  expect(() => printPropertyString(ROOTFS_FORMAT, new Map())).toThrow(PropertyStringError);
  expect(() => printPropertyString(ROOTFS_FORMAT, new Map([["volume", "local:a,b"]]))).toThrow(
    "holds a comma",
  );
});

test("an error shows the text, shortened, and every fault", () => {
  const text = `name=${"x".repeat(1000)},tag=0`;
  expect(() => parsePropertyString(NET_FORMAT, text)).toThrow(
    /^cannot read properties 'name=x{195}…': tag: /,
  );
});
