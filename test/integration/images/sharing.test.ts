/** What a pull does not fetch: counted by a proxy before a real registry. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { buildBusyboxImage } from "../../images/build.ts";
import { pushLayout, startRegistry } from "../../images/registry.ts";
import { ImageRoom } from "./images.fixture.ts";

setDefaultTimeout(60_000);

test("a second pull of a shared base fetches only what is new; of the same image, nothing", async () => {
  await using room = new ImageRoom();
  const registry = await startRegistry(room.at("registry"));
  const asked: string[] = [];
  const proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      return fetch(`http://${registry.host}${pathname}`, { headers: request.headers, decompress: false });
    },
  });
  try {
    const images = ["first", "second"].map((word) =>
      buildBusyboxImage(room.at(word), { extraFiles: { "srv/hello": word } }),
    );
    for (const [i, { dir, tag }] of images.entries()) await pushLayout(dir, tag, registry, `shared/app:${i}`);
    const pull = async (tag: number): Promise<string[]> => {
      asked.length = 0;
      await room.image("pull", `127.0.0.1:${proxy.port}/shared/app:${tag}`);
      return asked
        .filter((path) => path.includes("/blobs/"))
        .map((path) => path.slice(path.lastIndexOf("/") + 1));
    };
    const [first, second] = images;
    const all = (image: typeof first): string[] => [
      image?.configDigest ?? "",
      ...(image?.layerDigests ?? []),
    ];
    expect((await pull(0)).sort()).toEqual(all(first).sort());
    expect((await pull(1)).sort()).toEqual(
      all(second)
        .filter((digest) => !all(first).includes(digest))
        .sort(),
    );
    expect(await pull(1)).toEqual([]);
    expect(asked).toEqual(["/v2/shared/app/manifests/1"]);
  } finally {
    await proxy.stop(true);
    await registry.stop();
  }
});
