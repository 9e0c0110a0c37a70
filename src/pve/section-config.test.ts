import { expect, test } from "bun:test";
import { SDN_FILES } from "./sdn-schema.ts";
import { parseSections, type Section, writeSections } from "./section-config.ts";

const zones = SDN_FILES.zones;
const read = (text: string) => parseSections(zones, text);
const errorsOf = (text: string): string[] => read(text).errors.map(({ section, key }) => `${section} ${key}`);

test("sections keep their order, properties are sorted, required ones first", () => {
  const { config, warnings } = read(
    "qinq: z2\n\tmtu 1400\n\ttag 0012\n\tbridge b\n\nsimple:z1\n nodes n2,n1;n2\n",
  );
  expect(warnings).toEqual([]);
  expect(writeSections(zones, config)).toBe(
    "qinq: z2\n\tbridge b\n\ttag 12\n\tmtu 1400\n\nsimple: z1\n\tnodes n1,n2\n\n",
  );
});

test("what is not valid is left out, and said", () => {
  expect(errorsOf("simple: z\n\tmtu x\n\tfoo 1\n\tdns\n\tipam a\n\tipam b\n")).toEqual([
    "z mtu",
    "z foo",
    "z dns",
    "z ipam",
  ]);
  expect(errorsOf("simple: z\n\ttype simple\n\ttype vlan\n")).toEqual(["z type"]);
  expect(read("nosuch: z\n\tmtu 1\n\nx: y\n\nno header\n  indented\n").warnings).toHaveLength(4);
  expect(read("simple: z\nmtu 1400\n  \n\tmtu 1500\n").warnings).toHaveLength(2);
});

test("comments are passed over, an empty line ends a section", () => {
  const { config } = read("# c\nsimple: z\n\t# d\n\tmtu 1\n\n\tmtu 2\n");
  expect(writeSections(zones, config)).toBe("simple: z\n\tmtu 1\n\n");
});

test("a header without a space ends at its last colon", () => {
  const subnets = SDN_FILES.subnets;
  const { config } = parseSections(subnets, "subnet: z1-fd00::-64\n\tvnet v1\n");
  expect([...config.sections.keys()]).toEqual(["z1-fd00::-64"]);
  expect(read("simple:\n").warnings).toHaveLength(1);
  expect(read(":z\n").warnings).toHaveLength(1);
});

test("a section that is not complete is known and cannot be written", () => {
  const { config, warnings } = read("vlan: z\n");
  expect(config.sections.has("z")).toBe(true);
  expect(warnings).toEqual(["section 'z' is left out: it lacks 'bridge'"]);
  expect(() => writeSections(zones, config)).toThrow("lacks a required property");
});

test("a section given again takes the later place", () => {
  const { config, order } = read("simple: a\n\nsimple: b\n\nsimple: a\n\tmtu 1\n");
  expect([...config.sections.keys()]).toEqual(["b", "a"]);
  expect(Object.fromEntries(order)).toEqual({ a: 3, b: 2 });
});

test("nothing can be written into a file that would read as something else", () => {
  const section = (properties: Record<string, string>, type = "simple"): Section => ({
    type,
    properties: new Map(Object.entries(properties)),
  });
  const write = (id: string, value: Section) =>
    writeSections(zones, { digest: "", sections: new Map([[id, value]]) });
  expect(() => write("z", section({ ipam: "a\n\nvlan: evil" }))).toThrow("holds a line feed");
  expect(() => write("a b", section({}))).toThrow("cannot write section 'a b'");
  expect(() => write("z", section({}, "constructor"))).toThrow("of type 'constructor'");
  expect(() => write("z", section({}, "vlan"))).toThrow("it lacks 'bridge'");
  expect(write("z", section({ ipam: "", mtu: "1" }))).toBe("simple: z\n\tmtu 1\n\n");
});

test("a megabyte of colons or keys is read within a second", () => {
  const start = performance.now();
  read(":".repeat(1 << 20));
  read(`simple: z\n${"\tmtu 1\n".repeat(150_000)}`);
  read(`simple: z\n\tnodes ${"n,".repeat(500_000)}\n`);
  expect(performance.now() - start).toBeLessThan(1500);
});
