#!/usr/bin/env bash
# @redis/client: socketTimeout is not a limit on how long a reply may take. It begins anew with each write.
#
# Versions: @redis/client 6.3.1, Node 20 or newer.
# Behaviour: a connection stays open and its other end falls silent, as behind a proxy that lost its way. With socketTimeout 1000 and
#   one command, the client gives the connection up after a second. With a command written every 300 ms it never does: nine commands
#   are still waiting after three seconds, and the socket is open.
# Seen: one command: SocketTimeoutError after 1 s; a command every 300 ms: no error within 3 s.
# What to do: count replies yourself, and give a connection up when something is pending and none has come for a while.
#
# Exits with 0 while this is so, with 1 when it has changed.
set -euo pipefail
dir="$(mktemp -d)"
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-fund --no-audit @redis/client@6.3.1 >/dev/null
cat > try.mjs <<'JS'
import { createServer } from "node:net";
import { createClient } from "@redis/client";

const TIMEOUT_MS = 1000;

/** Answers the greeting of the client, one OK for each command of it, then nothing any more. */
function silentServer() {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        if (server.isSilent) return;
        const commands = String(chunk).match(/^\*\d+\r\n/gm) ?? [];
        socket.write("+OK\r\n".repeat(commands.length));
      });
    });
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

/** Milliseconds until the client said that the socket timed out; undefined if it did not within `forMs`. */
async function timedOutAfter(everyMs, forMs) {
  const server = await silentServer();
  const client = createClient({
    RESP: 2,
    socket: { host: "127.0.0.1", port: server.address().port, socketTimeout: TIMEOUT_MS, reconnectStrategy: false },
  });
  let after;
  const startedAt = performance.now();
  client.on("error", () => (after ??= performance.now() - startedAt));
  await client.connect();
  server.isSilent = true;
  const send = () => void client.sendCommand(["GET", "x"]).catch(() => undefined);
  send();
  const timer = everyMs === undefined ? undefined : setInterval(send, everyMs);
  await new Promise((resolve) => setTimeout(resolve, forMs));
  clearInterval(timer);
  client.destroy();
  server.close();
  return after;
}

const once = await timedOutAfter(undefined, 3000);
const often = await timedOutAfter(300, 3000);
console.log(`one command: ${once === undefined ? "no error within 3 s" : "given up"}`);
console.log(`a command every 300 ms: ${often === undefined ? "no error within 3 s" : "given up"}`);
process.exit(once !== undefined && often === undefined ? 0 : 1);
JS
node try.mjs
