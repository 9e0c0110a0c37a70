import { logout } from "../images/registry/login.ts";
import type { Command } from "./command.ts";
import { authFileFlag, authFiles } from "./image-registry.ts";

/** `image logout`. */
export const command: Command = {
  name: "image logout",
  summary: "forget a registry's credentials",
  args: "REGISTRY",
  arity: [1, 1],
  flags: [authFileFlag],
  examples: ["image logout registry.example.org"],
  async run(invocation) {
    const [registry = ""] = invocation.args;
    const files = await logout(registry, authFiles(invocation));
    const said = files.length === 0 ? `nothing was kept for ${registry}` : `removed from ${files.join(", ")}`;
    invocation.io.stdout(`${said}\n`);
    return 0;
  },
};
