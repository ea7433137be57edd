/** A connection on which replies are read as bytes, as no client shows them. */
import { once } from "node:events";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { afterAll } from "vitest";

export interface RawConnection {
  /** Sends a command; what the server says to it, byte for byte. */
  send(...args: (string | number | Buffer)[]): Promise<string>;
}

function encode(args: readonly (string | number | Buffer)[]): Buffer {
  const parts = args.map((each) => (Buffer.isBuffer(each) ? each : Buffer.from(String(each))));
  return Buffer.concat([
    Buffer.from(`*${parts.length}\r\n`),
    ...parts.flatMap((each) => [Buffer.from(`$${each.length}\r\n`), each, Buffer.from("\r\n")]),
  ]);
}

/** Connects, for as long as the file runs. Call it in a hook. */
export async function openRaw(port: number, protocol: 2 | 3): Promise<RawConnection> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  afterAll(() => void socket.destroy());
  const send: RawConnection["send"] = (...args) =>
    new Promise((resolve) => {
      // An ECHO after it shows where its reply ends, whatever that is.
      const mark = randomUUID();
      const end = `$${mark.length}\r\n${mark}\r\n`;
      let text = "";
      const listen = (data: Buffer): void => {
        text += data.toString("latin1");
        if (!text.endsWith(end)) return;
        socket.off("data", listen);
        resolve(text.slice(0, -end.length));
      };
      socket.on("data", listen);
      socket.write(Buffer.concat([encode(args), encode(["ECHO", mark])]));
    });
  await send("HELLO", protocol);
  return { send };
}
