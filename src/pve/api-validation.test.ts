import { describe, expect, test } from "bun:test";
import { ApiCallError, ApiValidator, standardApiValidator } from "./api-validation.ts";
import { checkValues } from "./parameter-check.ts";
import type { Schemas, SchemaValue } from "./value-schema.ts";

const validator = await standardApiValidator();

function refusal(
  method: string,
  path: string,
  parameters: Record<string, SchemaValue> = {},
): [number, string[]] | undefined {
  try {
    validator.validate(method, path, new Map(Object.entries(parameters)));
    return undefined;
  } catch (reason) {
    if (!(reason instanceof ApiCallError)) throw reason;
    return [reason.status, [...reason.faults.keys()].sort()];
  }
}

test("a call gives its method and all its parameters", () => {
  const call = validator.validate("PUT", "/nodes/n1/lxc/100/config", new Map([["net31", "name=eth0"]]));
  expect(call.template).toBe("/nodes/{node}/lxc/{vmid}/config");
  expect(Object.fromEntries(call.parameters)).toEqual({ node: "n1", vmid: "100", net31: "name=eth0" });
});

test("unknown paths and methods are not implemented, whatever they are called", () => {
  for (const [method, path] of [
    ["GET", "/nope"],
    ["PATCH", "/nodes"],
    ["constructor", "/nodes"],
    ["GET", "/nodes/n1/lxc/100/config/x"],
    ["GET", "/cluster"],
    ["GET", "/__proto__"],
  ] as const)
    expect(refusal(method, path)).toEqual([501, []]);
});

test("parameters of the path, missing, wrong and unknown ones are all named", () => {
  expect(refusal("POST", "/nodes/-n/lxc", { vmid: "9", foo: "1" })).toEqual([
    400,
    ["foo", "node", "ostemplate", "vmid"],
  ]);
  expect(refusal("PUT", "/nodes/n1/lxc/100/config", { net32: "name=a", mp255: "/a,mp=/a" })).toEqual([
    400,
    ["net32"],
  ]);
  expect(refusal("GET", "/nodes", { constructor: "1", toString: "1" })).toEqual([
    400,
    ["constructor", "toString"],
  ]);
});

test("lists come as several values, or as one text", () => {
  const path = "/cluster/sdn/vnets/v1/subnets";
  const subnet = { subnet: "10.0.0.0/24", type: "subnet" };
  const range = "start-address=10.0.0.1,end-address=10.0.0.9";
  expect(refusal("POST", path, { ...subnet, "dhcp-range": [range, range] })).toBeUndefined();
  expect(refusal("POST", path, { ...subnet, "dhcp-range": range })).toBeUndefined();
  expect(refusal("POST", path, { ...subnet, "dhcp-range": `${range}\0x` })).toEqual([400, ["dhcp-range[1]"]]);
  expect(refusal("POST", path, { ...subnet, snat: ["1"] })).toEqual([400, ["snat"]]);
});

test("a parameter may require another", () => {
  const login = { username: "u", password: "p", privs: "VM.Audit" };
  expect(refusal("POST", "/access/ticket", login)).toEqual([400, ["path"]]);
});

describe("properties that depend on a type", () => {
  const schemas: Schemas = {
    protocol: { type: "string" },
    area: { type: "string", optional: 1, "type-property": "protocol", "instance-types": ["ospf"] },
    id: {
      "type-property": "protocol",
      type: "array",
      oneOf: [
        { "instance-types": ["ospf"], type: "array", items: { type: "integer" } },
        { "instance-types": ["other"], type: "array", optional: 1, items: { type: "boolean" } },
      ],
    },
  };
  const keys = (values: Record<string, SchemaValue>): string[] =>
    [...checkValues(new Map(Object.entries(values)), schemas).keys()].sort();

  test("are checked by the alternative that applies", () => {
    expect(keys({ protocol: "ospf", id: ["7"] })).toEqual([]);
    expect(keys({ protocol: "ospf", id: ["x"] })).toEqual(["id[0]"]);
    expect(keys({ protocol: "ospf" })).toEqual(["id"]);
    expect(keys({ protocol: "other" })).toEqual([]);
    expect(keys({ protocol: "other", id: ["x"] })).toEqual(["id[0]"]);
    expect(keys({ protocol: "third", id: ["1"] })).toEqual(["id"]);
  });

  test("without a type any alternative will do", () => {
    const any: Schemas = {
      v: { oneOf: [{ type: "integer" }, { type: "string", enum: ["max"], optional: 1 }] },
    };
    const check = (value?: string): number =>
      checkValues(new Map(value === undefined ? [] : [["v", value]]), any).size;
    expect([check("5"), check("max"), check()]).toEqual([0, 0, 0]);
    expect(check("min")).toBe(1);
  });
});

test("a literal part of a path takes precedence over a variable one", () => {
  const own = new ApiValidator({ "/a/{x}": { GET: { name: "any" } }, "/a/b": { GET: { name: "b" } } });
  expect(own.validate("GET", "/a/b", new Map()).method.name).toBe("b");
  expect(() => own.validate("GET", "/a/c", new Map())).toThrow("Parameter verification failed.");
});
