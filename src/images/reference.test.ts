import { describe, expect, test } from "bun:test";
import type { Digest } from "../spec/digest.ts";
import { formatReference, parseImageSource, parseReference } from "./reference.ts";

const digest = `sha256:${"a".repeat(64)}` as Digest;

describe("references are read as Docker reads them", () => {
  const full: Record<string, string> = {
    busybox: "docker.io/library/busybox:latest",
    "busybox:1.36": "docker.io/library/busybox:1.36",
    "grafana/grafana": "docker.io/grafana/grafana:latest",
    "docker.io/busybox": "docker.io/library/busybox:latest",
    "index.docker.io/busybox": "docker.io/library/busybox:latest",
    "localhost/app": "localhost/app:latest",
    "localhost:5000/app:v1": "localhost:5000/app:v1",
    "127.0.0.1:5000/a/b/c": "127.0.0.1:5000/a/b/c:latest",
    "[::1]:5000/app": "[::1]:5000/app:latest",
    "quay.io/a/b__c-d.e": "quay.io/a/b__c-d.e:latest",
    "Registry/app": "Registry/app:latest",
    [`busybox@${digest}`]: `docker.io/library/busybox@${digest}`,
    [`ghcr.io/a/b:v2@${digest}`]: `ghcr.io/a/b:v2@${digest}`,
  };
  test.each(Object.entries(full))("%s", (text, expected) => {
    expect(formatReference(parseReference(text))).toBe(expected);
    expect(formatReference(parseReference(expected))).toBe(expected);
  });

  test.each([
    "",
    "Busybox",
    "a b",
    "busybox:",
    "busybox:-x",
    "busybox@sha256:abc",
    "busybox@md5:d41d8cd98f00b204e9800998ecf8427e",
    "../etc",
    "host.example/../../v2/other",
    "a//b",
    "/busybox",
    "-.example/a",
    "host:port/a",
    `x/${"a".repeat(300)}`,
    `busybox:${"t".repeat(129)}`,
  ])("%p is refused", (text) => {
    expect(() => parseReference(text)).toThrow("image name");
  });
});

test("sources", () => {
  expect(parseImageSource("oci:/srv/image:v1")).toEqual({ kind: "oci", path: "/srv/image", tag: "v1" });
  expect(parseImageSource("oci:./a:b/c")).toEqual({ kind: "oci", path: "./a:b/c" });
  expect(parseImageSource("docker-archive:x.tar:app:v1")).toEqual({
    kind: "docker-archive",
    path: "x.tar",
    tag: "app:v1",
  });
  expect(parseImageSource("tar:/var/lib/vz/template/cache/debian-12:x.tar.zst")).toEqual({
    kind: "tar",
    path: "/var/lib/vz/template/cache/debian-12:x.tar.zst",
  });
  expect(parseImageSource("docker://busybox")).toEqual({
    kind: "registry",
    reference: parseReference("busybox"),
  });
  expect(parseImageSource("tar:5")).toEqual({ kind: "tar", path: "5" });
  for (const bad of ["oci:", "tar:", "docker-archive:"])
    expect(() => parseImageSource(bad)).toThrow("names no file");
});
