import { processIo } from "./commands/process-io.ts";
import { main } from "./commands/program.ts";

process.exit(await main(process.argv.slice(2), processIo()));
