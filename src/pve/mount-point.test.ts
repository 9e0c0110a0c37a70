import { expect, test } from "bun:test";
import { idMappings, parseMountPoint, printMountPoint, readMountPoint } from "./mount-point.ts";
import { PropertyStringError } from "./property-string.ts";

test("volumes, directories and devices are told apart", () => {
  expect(parseMountPoint("rootfs", "local:x,size=8G").type).toBe("volume");
  expect(parseMountPoint("mp0", "/srv/d,mp=/d").type).toBe("bind");
  expect(parseMountPoint("mp0", "/dev/sdc,mp=/d").type).toBe("device");
  expect(parseMountPoint("unused0", "local:x").volume).toBe("local:x");
});

test("sizes are bytes inside and units outside", () => {
  const root = parseMountPoint("rootfs", "local:x,size=1536M");
  expect(root.properties.get("size")).toBe("1610612736");
  expect(root.properties.get("mp")).toBe("/");
  expect(printMountPoint("rootfs", root)).toBe("local:x,size=1536M");
});

test("id mappings are lists, or pass through", () => {
  const mapped = parseMountPoint("mp0", "/d,mp=/d,idmap=u:1005:1005:1;g:0:100000:65536");
  expect(idMappings(mapped)).toEqual([
    ["u", "1005", "1005", "1"],
    ["g", "0", "100000", "65536"],
  ]);
  expect(idMappings(parseMountPoint("mp0", "/d,mp=/d,idmap=passthrough"))).toBe("passthrough");
  expect(idMappings(parseMountPoint("mp0", "/d,mp=/d"))).toEqual([]);
  for (const bad of ["u:1:2:0", "x:1:2:3", "u:1:2", "u:1:2:3;", ""])
    expect(readMountPoint("mp0", `/d,mp=/d,idmap=${bad}`)).toBeUndefined();
});

test("an invalid mount point throws, or reads as none", () => {
  expect(() => parseMountPoint("mp0", "local:x")).toThrow(PropertyStringError);
  expect(readMountPoint("mp0", "local:x")).toBeUndefined();
});
