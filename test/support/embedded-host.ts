/*
 * A host process for the tests of the embedded server: starts one on the folder given, says `<pid> <port> <attached>`,
 * and lives on until it is told to end; with `--leave` it has nothing more to do.
 */
import { inspectServer, startServer } from "../../host/embedded/embedded";

const [dir = "", path = ""] = process.argv.slice(2);
const program = inspectServer(path);
if (program === undefined) throw new Error(`${path} is no server`);
const server = await startServer({ dir, persistence: true, program });
console.log(`${server.pid} ${server.port} ${server.attached}`);
if (!process.argv.includes("--leave")) setInterval(() => undefined, 60_000);
