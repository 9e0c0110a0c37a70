import { processIo } from "./commands/process-io.ts";
import { main } from "./commands/program.ts";

// No top-level await: a module that awaits starts up measurably later.
main(process.argv.slice(2), processIo()).then((code) => process.exit(code));
