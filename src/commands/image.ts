import type { CommandGroup } from "./command.ts";

/** `image`: what is in the data root, and what comes and goes. */
export const command: CommandGroup = {
  name: "image",
  summary: "pull, push, list, remove and convert images",
  subcommands: {
    pull: () => import("./image-pull.ts"),
    push: () => import("./image-push.ts"),
    ls: () => import("./image-ls.ts"),
    inspect: () => import("./image-inspect.ts"),
    history: () => import("./image-history.ts"),
    tag: () => import("./image-tag.ts"),
    rm: () => import("./image-rm.ts"),
    import: () => import("./image-import.ts"),
    export: () => import("./image-export.ts"),
    convert: () => import("./image-convert.ts"),
    mount: () => import("./image-mount.ts"),
    unmount: () => import("./image-unmount.ts"),
    gc: () => import("./image-gc.ts"),
    login: () => import("./image-login.ts"),
    logout: () => import("./image-logout.ts"),
  },
};
