/** Names of images: what a person types, parsed as Docker, containerd and podman do. Pure. */
import { LxcriError } from "../host/errors.ts";
import { type Digest, isDigest } from "../spec/digest.ts";

/** An image in a registry. */
export interface Reference {
  /** `docker.io`, `localhost:5000`, `[::1]:5000` */
  readonly registry: string;
  /** `library/busybox` */
  readonly repository: string;
  /** Undefined only where a digest is given. */
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Where an image comes from. */
export type ImageSource =
  | { readonly kind: "registry"; readonly reference: Reference }
  /** An OCI image layout folder. */
  | { readonly kind: "oci"; readonly path: string; readonly tag?: string }
  /** An OCI image layout as tar file. */
  | { readonly kind: "oci-archive"; readonly path: string; readonly tag?: string }
  /** What `docker save` or `podman save` wrote, compressed or not. */
  | { readonly kind: "docker-archive"; readonly path: string; readonly tag?: string }
  /** A root file system as tarball: a Proxmox CT template or an LXC rootfs. */
  | { readonly kind: "tar"; readonly path: string };

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const HOST =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;

const invalid = (text: string, why: string): LxcriError =>
  new LxcriError("reference-invalid", `image name ${JSON.stringify(text)}: ${why}`);

/** Does the part before the first slash name a registry (and not a folder of Docker Hub)? */
const isRegistry = (part: string): boolean =>
  part === "localhost" || part.includes(".") || part.includes(":") || part !== part.toLowerCase();

/**
 * Parses `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`. Without a registry it is `docker.io` (and `library/` where the
 * name is one word); without tag and digest the tag is `latest`.
 * @throws LxcriError `reference-invalid`
 */
export function parseReference(text: string): Reference {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest))
    throw invalid(text, "its digest is not sha256 and 64 hex digits");
  let name = at < 0 ? text : text.slice(0, at);
  let registry = "docker.io";
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  if (isRegistry(first) && first !== "") {
    if (!HOST.test(first)) throw invalid(text, `${JSON.stringify(first)} is not a registry's host and port`);
    registry = first === "index.docker.io" ? "docker.io" : first;
    name = name.slice(slash + 1);
  }
  const colon = name.indexOf(":");
  const tag = colon < 0 ? undefined : name.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text, `${JSON.stringify(tag)} is not a tag`);
  let repository = colon < 0 ? name : name.slice(0, colon);
  if (!repository.split("/").every((part) => COMPONENT.test(part)))
    throw invalid(text, "a repository's name is lower-case words, joined by / . _ or -");
  if (registry === "docker.io" && !repository.includes("/")) repository = `library/${repository}`;
  if (registry.length + repository.length > 255) throw invalid(text, "longer than 255 characters");
  return {
    registry,
    repository,
    ...(tag !== undefined ? { tag } : digest === undefined ? { tag: "latest" } : {}),
    ...(digest === undefined ? {} : { digest: digest as Digest }),
  };
}

/** The reference in full, `docker.io/library/busybox:latest`. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/**
 * Splits `PATH[:TAG]`. A folder may have colons in its path (one before a slash is the path's); an archive's tag
 * is a whole reference, so there, as in skopeo, the first colon ends the path.
 */
function pathAndTag(
  text: string,
  scheme: "oci" | "oci-archive" | "docker-archive",
): { path: string; tag?: string } {
  const colon = scheme === "docker-archive" ? text.indexOf(":") : text.lastIndexOf(":");
  const split = colon > 0 && !(scheme !== "docker-archive" && text.slice(colon).includes("/"));
  const path = split ? text.slice(0, colon) : text;
  if (path === "") throw invalid(`${scheme}:${text}`, "names no file");
  return split ? { path, tag: text.slice(colon + 1) } : { path };
}

/**
 * Parses what `launch` takes: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`, `tar:FILE`, or a reference
 * (`docker://` before it is allowed).
 * @throws LxcriError `reference-invalid`
 */
export function parseImageSource(text: string): ImageSource {
  const scheme = /^(oci|oci-archive|docker-archive|tar):(?!\/\/)/.exec(text)?.[1];
  const rest = scheme === undefined ? text : text.slice(scheme.length + 1);
  switch (scheme) {
    case "oci":
      return { kind: "oci", ...pathAndTag(rest, scheme) };
    case "oci-archive":
      return { kind: "oci-archive", ...pathAndTag(rest, scheme) };
    case "docker-archive":
      return { kind: "docker-archive", ...pathAndTag(rest, scheme) };
    case "tar":
      if (rest === "") throw invalid(text, "names no file");
      return { kind: "tar", path: rest };
    default:
      return { kind: "registry", reference: parseReference(text.replace(/^docker:\/\//, "")) };
  }
}
