/** Calls of Proxmox's REST API: which method a path names, and whether its parameters are valid. */
import { LxcriError } from "../host/errors.ts";
import { checkValues } from "./parameter-check.ts";
import type { Schemas, SchemaValue, ValueSchema } from "./value-schema.ts";

/** One method of the API's schema document. */
export interface ApiMethod {
  readonly name: string;
  /** Parameters by name; `net[n]` stands for `net0` and its like. */
  readonly parameters?: Schemas;
  readonly returns?: unknown;
}

/** The API's schema document: methods by path template (`/nodes/{node}/lxc`) and HTTP method. */
export type ApiSchema = Readonly<Record<string, Readonly<Record<string, ApiMethod>>>>;

/** A call that the schema allows. */
export interface ApiCall {
  readonly method: ApiMethod;
  /** The template that the path matches. */
  readonly template: string;
  /** Parameters of the path, of the query and of the body together. */
  readonly parameters: ReadonlyMap<string, SchemaValue>;
}

/** A call that the schema refuses. `status` is the HTTP status of the answer. */
export class ApiCallError extends LxcriError {
  readonly status: 400 | 501;
  /** What is wrong, by parameter. */
  readonly faults: ReadonlyMap<string, string>;

  constructor(status: 400 | 501, message: string, faults: ReadonlyMap<string, string> = new Map()) {
    super(status === 501 ? "pve-method-not-implemented" : "pve-parameter-invalid", message);
    this.status = status;
    this.faults = faults;
  }
}

/** How many of a numbered parameter there are. */
const FAMILY_SIZES: Readonly<Record<string, number>> = { dev: 256, mp: 256, net: 32, unused: 256 };

interface PathNode {
  readonly literals: Map<string, PathNode>;
  variable?: { readonly name: string; readonly node: PathNode };
  template?: string;
}

/** Checks calls against a schema document. */
export class ApiValidator {
  private readonly root: PathNode = { literals: new Map() };
  private readonly expanded = new WeakMap<ApiMethod, Schemas>();

  constructor(private readonly schema: ApiSchema) {
    for (const template of Object.keys(schema)) this.addTemplate(template);
  }

  /**
   * The method that a call means, with all parameters checked.
   *
   * @param path below `/api2/json`, without query, its parts decoded
   * @throws {@link ApiCallError} with status 501 where there is no such method, 400 where parameters are wrong
   */
  validate(httpMethod: string, path: string, given: ReadonlyMap<string, SchemaValue>): ApiCall {
    const found = this.find(path.split("/").filter((part) => part !== ""));
    const methods = found === undefined ? undefined : this.schema[found.template];
    const method =
      methods !== undefined && Object.hasOwn(methods, httpMethod) ? methods[httpMethod] : undefined;
    if (found === undefined || method === undefined)
      throw new ApiCallError(501, `Method '${httpMethod} ${path}' not implemented`);
    const schemas = this.schemasOf(method);
    const parameters = new Map<string, SchemaValue>();
    for (const [name, value] of [...given, ...found.variables])
      parameters.set(name, toList(Object.hasOwn(schemas, name) ? schemas[name] : undefined, value));
    const faults = checkValues(parameters, schemas);
    if (faults.size > 0) throw new ApiCallError(400, "Parameter verification failed.", faults);
    return { method, template: found.template, parameters };
  }

  private addTemplate(template: string): void {
    let node = this.root;
    for (const part of template.split("/").filter((each) => each !== "")) {
      const variable = /^\{(.+)\}$/.exec(part)?.[1];
      if (variable === undefined) {
        const next = node.literals.get(part) ?? { literals: new Map() };
        node.literals.set(part, next);
        node = next;
      } else {
        node.variable ??= { name: variable, node: { literals: new Map() } };
        node = node.variable.node;
      }
    }
    node.template = template;
  }

  /** A literal part takes precedence over a variable one, as in Proxmox's own tree. */
  private find(parts: readonly string[]): { template: string; variables: [string, string][] } | undefined {
    const variables: [string, string][] = [];
    let node = this.root;
    for (const part of parts) {
      const literal = node.literals.get(part);
      if (literal !== undefined) {
        node = literal;
      } else if (node.variable !== undefined) {
        variables.push([node.variable.name, part]);
        node = node.variable.node;
      } else {
        return undefined;
      }
    }
    return node.template === undefined ? undefined : { template: node.template, variables };
  }

  private schemasOf(method: ApiMethod): Schemas {
    let schemas = this.expanded.get(method);
    if (schemas === undefined) {
      schemas = expandFamilies(method.parameters ?? {});
      this.expanded.set(method, schemas);
    }
    return schemas;
  }
}

/** `net[n]` becomes `net0` to `net31`, and so on. */
function expandFamilies(parameters: Schemas): Schemas {
  const entries: [string, ValueSchema][] = [];
  for (const [name, schema] of Object.entries(parameters)) {
    const family = /^([a-z]+)\[n\]$/.exec(name)?.[1];
    if (family === undefined) entries.push([name, schema]);
    else
      for (let index = 0; index < (FAMILY_SIZES[family] ?? 0); index++)
        entries.push([`${family}${index}`, schema]);
  }
  return Object.fromEntries(entries);
}

/** A list parameter may come as one text: a single element, or several between NUL bytes. */
function toList(schema: ValueSchema | undefined, value: SchemaValue): SchemaValue {
  const isList = schema?.type === "array" || schema?.oneOf?.some((each) => each.type === "array") === true;
  return isList && typeof value === "string" ? value.split("\0") : value;
}

let standard: Promise<ApiValidator> | undefined;

/** The validator of Proxmox VE 9's API, as far as containers, networks, storage and access go; loaded once. */
export function standardApiValidator(): Promise<ApiValidator> {
  standard ??= import("./api-schema.json").then(
    // The document is ours and fixed; its literal type is too fine for the schema language's own.
    (document) => new ApiValidator(document.default as unknown as ApiSchema),
  );
  return standard;
}
