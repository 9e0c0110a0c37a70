/** Names of launched containers. */
import { LxcriError } from "../../host/errors.ts";
import { type ContainerId, parseContainerId } from "../../spec/container-id.ts";

/** A name is also the id, a host name and part of paths: what all of these take. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;

/** @throws LxcriError `name-invalid` */
export function parseName(text: string): ContainerId {
  if (NAME.test(text)) return parseContainerId(text);
  throw new LxcriError("name-invalid", `container name ${JSON.stringify(text)}: is not allowed`, {
    fix: "Use 1 to 63 letters, digits, _, . and -, beginning with a letter or digit.",
  });
}

const QUALITIES = (
  "able bold brave bright brisk calm clean clear cosy crisp deft eager early even fair fast fine firm fond frank " +
  "fresh gentle glad grand green happy hardy keen kind lively loyal lucky mild neat nimble noble proud quick quiet " +
  "ready rosy sharp smart snug solid steady sturdy sunny swift tidy true warm wise witty young"
).split(" ");

const BIRDS = (
  "auk avocet bittern bunting crane curlew dipper dove duck dunlin eider falcon finch gannet goose grebe grouse gull " +
  "heron hobby hoopoe ibis jackdaw jay kestrel kite knot lark linnet magpie martin merlin nuthatch oriole osprey owl " +
  "petrel pipit plover puffin quail raven robin rook ruff shrike siskin skua snipe starling stork swan swift tern " +
  "thrush tit wagtail warbler wren"
).split(" ");

const pick = (words: readonly string[], random: () => number): string =>
  words[Math.floor(random() * words.length)] ?? "";

/** A name that a person can read and type, `calm-heron`; with a number after it where many are taken. */
export function chooseName(
  isTaken: (name: string) => boolean,
  random: () => number = Math.random,
): ContainerId {
  for (let attempt = 0; ; attempt += 1) {
    const words = `${pick(QUALITIES, random)}-${pick(BIRDS, random)}`;
    const name = attempt < 20 ? words : `${words}-${attempt}`;
    if (!isTaken(name)) return parseName(name);
  }
}
