/** A caller with a console socket: it receives the terminal's master and reads what the container prints. */
import { join } from "node:path";
import { run } from "../../../src/host/process.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";
import type { TestBundle } from "./bundle.ts";

/** Receives a descriptor on a unix socket while `create` runs, starts the container, and reads to the end. */
const receiver = `
import array, os, socket, subprocess, sys
path, root, bundle, container, runtime = sys.argv[1:]
server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen(1); server.settimeout(20)
null = subprocess.DEVNULL
creator = subprocess.Popen([runtime, "--root", root, "create", "--bundle", bundle, "--console-socket", path, container], stdin=null)
peer, _ = server.accept()
data, control, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(4))
master = array.array("i", control[0][2])[0]
assert creator.wait(20) == 0
subprocess.run([runtime, "--root", root, "start", container], check=True, stdin=null)
said = b""
while True:
    try:
        part = os.read(master, 4096)
    except OSError:
        break
    if not part:
        break
    said += part
sys.stdout.buffer.write(said)
`;

/** Creates and starts the bundle's container with a console socket; what its terminal showed until its end. */
export async function terminalOf(bundle: TestBundle): Promise<string> {
  const socket = join(bundle.folder, "console.sock");
  const argv = ["python3", "-c", receiver, socket, bundle.root, bundle.path, bundle.id, runtimeUnderTest];
  const { exitCode, stdout, stderr } = await run(argv, { timeout: 30_000 });
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
}
