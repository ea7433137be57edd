/**
 * Another client of the server, in a thread of its own, so that its clock does not wait for the work of ours. It sends a
 * PING every millisecond whether or not the one before was answered: a server that stands still is seen by all of them.
 */
import { connect } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const EVERY_MS = 1;
const REPLY_BYTES = "+PONG\r\n".length;
const PING = Buffer.from("PING\r\n");

const { port } = workerData as { port: number };
const socket = connect({ port, host: "127.0.0.1", noDelay: true });
const sentAt: number[] = [];
const latenciesMs: number[] = [];
let received = 0;

socket.on("data", (data) => {
  received += data.length;
  const nowMs = performance.now();
  while (latenciesMs.length < Math.floor(received / REPLY_BYTES)) latenciesMs.push(nowMs - sentAt[latenciesMs.length]!);
});

socket.once("connect", () => {
  parentPort!.postMessage("ready");
  const timer = setInterval(() => {
    sentAt.push(performance.now());
    socket.write(PING);
  }, EVERY_MS);
  parentPort!.once("message", () => {
    clearInterval(timer);
    socket.destroy();
    parentPort!.postMessage(latenciesMs);
    parentPort!.close();
  });
});
